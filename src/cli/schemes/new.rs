//! `schemes new`: a commented skeleton of a scheme file, or the file that makes captured requests
//! whose key is known.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use crate::cli::keys::create_public;
use crate::cli::verify::capture;
use crate::cli::{CliError, Exit};
use crate::keys::variable;
use crate::scheme::{Captured, Known, guess};
use crate::secret::Secret;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --from, the usual forms of the vocabulary are tried on requests that were captured: raw HTTP
files, as explain and verify read them. The search ends after a million texts for keys of MACs, or
50,000 for others, which takes seconds. Requests of different shapes help: one with a query, one
with a body. Neither the key nor an identifier of the requests is written into the file; its vectors
are signed with a key that is made for them.

  countersign schemes new acme --out acme.toml
  countersign schemes new --from get.http --from post.http --secret acme.secret --out acme.toml")]
pub(super) struct NewArgs {
    /// What the provider is called in the skeleton
    #[arg(required_unless_present = "from")]
    name: Option<String>,
    /// A captured request with its signature, as raw HTTP; - is standard input; may be given several
    /// times
    #[arg(long, value_name = "REQUEST", requires = "secret")]
    from: Vec<PathBuf>,
    /// Where the key is that signed it: a file, a variable, or standard input; never the key itself
    #[arg(long, value_name = "FILE|env:NAME|-", requires = "from")]
    secret: Option<String>,
    /// What is signed and stands nowhere in the request; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", requires = "from", value_parser = param)]
    params: Vec<(String, String)>,
    /// When the request was sent, in milliseconds since 1970: for times that say when it expires
    #[arg(long, value_name = "UNIX_MS", requires = "from")]
    at: Option<u64>,
    /// A new file for it; printed, if left out
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

fn param(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() {
        return Err("use letters, digits and _ for its name".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(args: &NewArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let text = if args.from.is_empty() {
        let name = args.name.as_deref().unwrap_or_default().replace(['"', '\\', '\n'], "");
        include_str!("skeleton.toml").replace("NAME", &name)
    } else {
        found(args)?
    };
    let Some(path) = &args.out else { return Ok(out.write_all(text.as_bytes())?) };
    create_public(path, text.as_bytes())?;
    Ok(writeln!(out, "wrote {}; next: countersign schemes test {0}", path.display())?)
}

/// The file that makes the requests.
fn found(args: &NewArgs) -> Result<String, CliError> {
    let from = args.secret.as_deref().unwrap_or_default();
    let inputs = args.from.iter().filter(|path| *path == Path::new("-")).count();
    if inputs + usize::from(from == "-") > 1 {
        let what = "standard input cannot be two things";
        return Err(CliError::new(Exit::Usage, what).fix("name files for all but one"));
    }
    let secret = secret(from)?;
    let captured = args.from.iter().map(|path| {
        let request = capture::one(path)?.request;
        let spelled = request.spelled.clone();
        let (head, body) = request.into_sent();
        Ok(Captured { head, body, spelled })
    });
    let captured: Vec<_> = captured.collect::<Result<_, CliError>>()?;
    let known = Known { secret: &secret, params: &args.params, at: args.at };
    let found = guess(&captured, &known).map_err(|nearest| {
        let what =
            format!("no file was found that makes these requests:\n  {}", nearest.join("\n  "));
        CliError::failed(
            what,
            "give further requests, --param for what is signed and not sent, or begin with a \
             skeleton: countersign schemes new NAME",
        )
    })?;
    let mut text = String::from(
        "# Found by countersign schemes new from captured requests, each of which this file makes.\n\
         # Its vectors were signed with a throw-away key: hold it against the provider's documents,\n\
         # and add vectors from there. What a request was of stands in them; look before you share.\n",
    );
    for said in found.said {
        text.push_str(&format!("# Assumed: {said}.\n"));
    }
    Ok(text + &found.file)
}

/// The key, from where it is; a text that may be the key itself is not repeated.
fn secret(from: &str) -> Result<Secret, CliError> {
    let mut bytes = Vec::new();
    if from == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else if let Some(name) = from.strip_prefix("env:") {
        let value = variable(name).filter(|value| !value.is_empty());
        let missing =
            || CliError::failed("the variable of --secret is not set", "set it, or name a file");
        bytes = value.ok_or_else(missing)?.into_encoded_bytes();
    } else {
        bytes = std::fs::read(from).map_err(|error| {
            let fix = "give the name of a file with the key, env:NAME, or - for standard input";
            CliError::failed(format!("the file of --secret cannot be read: {}", error.kind()), fix)
        })?;
    }
    let secret = Secret::new(bytes).trimmed();
    if secret.expose().is_empty() {
        return Err(CliError::failed("the key is empty", "give the key that signed the request"));
    }
    Ok(secret)
}
