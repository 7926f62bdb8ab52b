//! `countersign keys`: making, importing, encrypting and showing keys.
//!
//! Whatever form a key comes in, it is written as PKCS#8 in PEM, in a new file of mode 0600. Baby
//! Jubjub alone is written as an account in JSON: it has no PKCS#8. Or it goes into a store that it
//! does not leave.

pub(super) mod algorithms;
mod forms;
mod passphrase;
mod private_file;
mod stored;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use forms::write_public_forms;
use passphrase::Passphrases;
use private_file::replace_private;
pub(crate) use private_file::{create_private, create_public};
use stored::Stored;

use super::error::{CliError, Exit};
use crate::keys::{Algorithm, Encoding, FormatError, PassphraseFault, PrivateKey, variable};
use crate::secret::Secret;

/// Make, import, encrypt and show keys.
#[derive(Debug, clap::Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    /// Make a new key and show its public half.
    New {
        /// One of those that `countersign keys algorithms` lists.
        #[arg(long)]
        algorithm: Algorithm,
        /// The size of an RSA key: 2048, 3072 or 4096; 3072 if nothing is said.
        #[arg(long)]
        bits: Option<usize>,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        stored: Stored,
    },
    /// Read a key in any form (PEM, DER, hex, WIF, Loopring's account in JSON) and write it as
    /// PKCS#8 in PEM, or for eddsa_babyjub as JSON.
    Import {
        /// The file to read, or - for standard input.
        #[arg(long = "in", value_name = "FILE")]
        input: PathBuf,
        /// The key's algorithm, where the form does not say it: a bare number.
        #[arg(long)]
        algorithm: Option<Algorithm>,
        /// How the key is written, where that is text of bytes: base64, base64url or hex.
        #[arg(long, default_value = "text")]
        encoding: Encoding,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        stored: Stored,
    },
    /// Encrypt a key that is not, in place or into a new file.
    Encrypt {
        /// The file of the key.
        file: PathBuf,
        /// A new file for the encrypted key; FILE stays as it is then.
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseEnv,
    },
    /// List the algorithms that keys can have, and the forms they are read in.
    Algorithms {
        /// Write Markdown, as docs/algorithms.md has it
        #[arg(long)]
        markdown: bool,
    },
    /// Show a key's public half in the forms that providers ask for.
    Show {
        /// The file of the private key, or - for standard input; the entry, where --store is given.
        file: PathBuf,
        /// A store of the configuration.
        #[arg(long, value_name = "NAME")]
        store: Option<String>,
        /// The configuration that has the store [default: proxy.toml]
        #[arg(long, value_name = "FILE", requires = "store")]
        config: Option<PathBuf>,
        /// The key's algorithm, where the form does not say it: a bare number.
        #[arg(long)]
        algorithm: Option<Algorithm>,
        /// How the key is written, where that is text of bytes: base64, base64url or hex.
        #[arg(long, default_value = "text")]
        encoding: Encoding,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        passphrase: PassphraseEnv,
    },
}

#[derive(Debug, clap::Args)]
struct Output {
    /// The file to create. An existing file is never overwritten.
    #[arg(long, value_name = "PATH", required_unless_present = "store")]
    out: Option<PathBuf>,
    /// Encrypt the file with a passphrase.
    #[arg(long)]
    encrypt: bool,
    #[command(flatten)]
    passphrase: PassphraseEnv,
}

#[derive(Debug, clap::Args)]
struct PassphraseEnv {
    /// The variable with the passphrase. If it is not set, the terminal asks.
    #[arg(long = "passphrase-env", value_name = "VAR", default_value = "COUNTERSIGN_PASSPHRASE")]
    variable: String,
}

/// Runs one of the commands; what it has to say goes to `out`.
pub(crate) fn run(args: KeysArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let prompt = |text: &str| rpassword::prompt_password(text);
    let mut session = Session { out, stdin: &mut io::stdin(), lookup: variable, prompt: &prompt };
    session.run(args.command)
}

/// What a command talks to.
struct Session<'a> {
    out: &'a mut dyn Write,
    stdin: &'a mut dyn Read,
    lookup: crate::keys::Lookup,
    prompt: &'a dyn Fn(&str) -> io::Result<String>,
}

impl Session<'_> {
    fn run(&mut self, command: KeysCommand) -> Result<(), CliError> {
        match command {
            KeysCommand::New { algorithm, bits, output, stored } => match output.out.as_deref() {
                Some(file) => self.write_new(&generate(algorithm, bits)?, file, &output),
                None => {
                    sized(algorithm, bits)?;
                    let key = stored.create(algorithm, bits)?;
                    write_public_forms(&key, self.out)
                }
            },
            KeysCommand::Import { input, algorithm, encoding, output, stored } => {
                let key = self.read_key(&input, algorithm, encoding, &output.passphrase)?;
                match output.out.as_deref() {
                    Some(file) => self.write_new(&key, file, &output),
                    None => write_public_forms(&stored.import(key)?, self.out),
                }
            }
            KeysCommand::Encrypt { file, out, passphrase } => {
                self.encrypt(&file, out.as_deref(), &passphrase)
            }
            KeysCommand::Algorithms { markdown } => algorithms::write(markdown, self.out),
            KeysCommand::Show { file, store, config, algorithm, encoding, json, passphrase } => {
                let key = match store {
                    Some(store) => stored::show(&store, config.as_deref(), &file, algorithm)?,
                    None => self.read_key(&file, algorithm, encoding, &passphrase)?.public_key(),
                };
                match json {
                    true => forms::write_json(&key, self.out),
                    false => write_public_forms(&key, self.out),
                }
            }
        }
    }

    fn write_new(
        &mut self,
        key: &PrivateKey,
        file: &Path,
        output: &Output,
    ) -> Result<(), CliError> {
        let text = match output.encrypt {
            true => self.encrypted(key, file, &output.passphrase)?,
            false => key.to_text(),
        };
        create_private(file, text.as_bytes())?;
        writeln!(self.out, "private key  {}", file.display())?;
        write_public_forms(&key.public_key(), self.out)
    }

    fn encrypt(
        &mut self,
        file: &Path,
        out: Option<&Path>,
        passphrase: &PassphraseEnv,
    ) -> Result<(), CliError> {
        let bytes = self.read_bytes(file)?;
        let key = PrivateKey::parse(bytes.expose(), None, None).map_err(|error| {
            match error.passphrase {
                PassphraseFault::Missing => CliError::failed(
                    format!("{} is encrypted already", file.display()),
                    "to change the passphrase: countersign keys import --encrypt",
                ),
                PassphraseFault::None | PassphraseFault::Wrong => in_file(file, error),
            }
        })?;
        let pem = self.encrypted(&key, file, passphrase)?;
        let target = out.unwrap_or(file);
        match out {
            Some(new) => create_private(new, pem.as_bytes())?,
            None => replace_private(file, pem.as_bytes())?,
        }
        writeln!(self.out, "{} is encrypted", target.display())?;
        Ok(())
    }

    fn encrypted(
        &self,
        key: &PrivateKey,
        file: &Path,
        passphrase: &PassphraseEnv,
    ) -> Result<Zeroizing<String>, CliError> {
        // Said before anybody has thought of a passphrase.
        key.check_encryptable().map_err(|error| in_file(file, error))?;
        Ok(key.to_encrypted_pem(&self.passphrases(passphrase).new_one()?)?)
    }

    fn read_key(
        &mut self,
        file: &Path,
        algorithm: Option<Algorithm>,
        encoding: Encoding,
        passphrase: &PassphraseEnv,
    ) -> Result<PrivateKey, CliError> {
        let bytes = self.read_bytes(file)?;
        let parse =
            |passphrase| PrivateKey::parse_encoded(bytes.expose(), encoding, algorithm, passphrase);
        match parse(None) {
            Err(error) if error.passphrase == PassphraseFault::Missing => {
                let secret = self.passphrases(passphrase).of(&shown(file))?;
                parse(Some(&secret))
            }
            other => other,
        }
        .map_err(|error| in_file(file, error))
    }

    fn read_bytes(&mut self, file: &Path) -> Result<Secret, CliError> {
        let opened = match is_stdin(file) {
            true => read_some(self.stdin),
            false => File::open(file).and_then(|mut file| read_some(&mut file)),
        };
        opened.map_err(|error| {
            CliError::failed(
                format!("{} cannot be read: {error}", shown(file)),
                "name the file of the private key",
            )
        })
    }

    fn passphrases<'b>(&'b self, env: &'b PassphraseEnv) -> Passphrases<'b> {
        Passphrases { variable: &env.variable, lookup: self.lookup, prompt: self.prompt }
    }
}

fn generate(algorithm: Algorithm, bits: Option<usize>) -> Result<PrivateKey, CliError> {
    sized(algorithm, bits)?;
    let sized = bits.and_then(|bits| PrivateKey::generate_sized(algorithm, bits));
    Ok(sized.unwrap_or_else(|| PrivateKey::generate(algorithm)))
}

/// Whether new keys have this size.
fn sized(algorithm: Algorithm, bits: Option<usize>) -> Result<(), CliError> {
    let mut sizes = algorithm.sizes().to_vec();
    let Some(bits) = bits.filter(|bits| !sizes.contains(bits)) else { return Ok(()) };
    sizes.sort_unstable();
    if sizes.is_empty() {
        let what = format!("--bits is for RSA keys, and {algorithm} keys have one size");
        return Err(CliError::new(Exit::Usage, what).fix("leave it out"));
    }
    let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let what = format!("{bits} is not a size of new {algorithm} keys");
    Err(CliError::new(Exit::Usage, what).fix(format!("use one of {}", sizes.join(", "))))
}

/// Reads a little more than a key may have, so that the rest of a long file is left alone and
/// the length is still refused. The buffer has its size at once: growing leaves copies behind.
fn read_some(from: &mut dyn Read) -> io::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_BYTES));
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn shown(file: &Path) -> String {
    if is_stdin(file) { "standard input".into() } else { file.display().to_string() }
}

fn in_file(file: &Path, error: FormatError) -> CliError {
    let name = shown(file);
    let fix = if is_stdin(file) { error.fix } else { error.fix.replace("FILE", &name) };
    CliError::failed(format!("{name} {}", error.what), fix)
}

/// The most that is a key.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
