//! The store: opens keys, makes new ones, and puts others in.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::fault::Fault;
use super::making;
use super::mechanism::Asked;
use super::module::Module;
use super::object;
use super::signer::{Held, TokenKey};
use super::token::Token;
use super::uri::{MODULE, PIN, SERIAL, TOKEN, Wanted, place};
use crate::keys::error::pasted;
use crate::keys::store::{KeySpec, Needed, SignerStore, StoreSettings};
use crate::keys::{Algorithm, BoxFuture, PrivateKey, PublicKey, Signer};
use crate::problem::Problem;

/// A token by its module, and by what tells it from others.
pub(super) struct Tokens {
    module: PathBuf,
    label: Option<String>,
    serial: Option<String>,
    pin: Option<Needed>,
    /// The same, once its PIN was read.
    token: OnceCell<Arc<Token>>,
}

/// What is wrong, and how to mend it.
type Wrong = (String, String);

impl Tokens {
    pub(super) fn new(settings: &StoreSettings) -> Self {
        Self {
            module: settings.path(MODULE).to_owned(),
            label: settings.text(TOKEN),
            serial: settings.text(SERIAL),
            pin: settings.secret(PIN).cloned(),
            token: OnceCell::new(),
        }
    }

    fn place(&self, entry: &str) -> String {
        place(self.label.as_deref().unwrap_or_default(), entry)
    }

    async fn token(&self) -> Result<Arc<Token>, Problem> {
        let token = self.token.get_or_try_init(|| async {
            let pin = match &self.pin {
                Some(needed) => Some(needed.read().await.map_err(|error| error.of("the PIN:"))?),
                None => None,
            };
            let module = Module::at(&self.module).map_err(|error| {
                Problem::new(format!("gets no threads: {error}"), "raise the limit of processes")
                    .of(self.module.display())
            })?;
            let (label, serial) = (self.label.clone(), self.serial.clone());
            Ok(Arc::new(Token { module, label, serial, pin }))
        });
        token.await.cloned()
    }

    /// Does something with the token on one of the module's threads, in time.
    async fn on_thread<T: Send + 'static>(
        &self,
        entry: &str,
        work: impl FnOnce(&Arc<Token>, Wanted) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = |(what, fix)| Problem::new(what, fix).of(self.place(entry));
        let wanted = Wanted::read(entry)
            .map_err(|what| failed((what.to_owned(), "write a label, or id=%01".to_owned())))?;
        let token = self.token().await?;
        let queue = token.module.queue();
        let run = queue.run(move || work(&token, wanted));
        let done = match tokio::time::timeout(PATIENCE, run).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err((error.to_string(), "try again".to_owned())),
            Err(_) => Err((
                format!("is out of reach: the module has not answered within {PATIENCE:?}"),
                "see whether the token works: pkcs11-tool --list-slots".to_owned(),
            )),
        };
        done.map_err(failed)
    }
}

impl SignerStore for Tokens {
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        let spec = key.clone();
        Box::pin(async {
            let opened =
                self.on_thread(&key.entry, move |token, wanted| open(token, wanted, &spec));
            Ok(Arc::new(opened.await?) as Arc<dyn Signer>)
        })
    }

    fn create<'a>(
        &'a self,
        entry: &'a str,
        algorithm: Algorithm,
        bits: Option<usize>,
    ) -> BoxFuture<'a, Result<PublicKey, Problem>> {
        Box::pin(self.put(entry, algorithm, move |token, wanted| {
            making::create(token, wanted, algorithm, bits)
        }))
    }

    fn import<'a>(
        &'a self,
        entry: &'a str,
        key: PrivateKey,
    ) -> BoxFuture<'a, Result<PublicKey, Problem>> {
        let algorithm = key.algorithm();
        Box::pin(
            self.put(entry, algorithm, move |token, wanted| making::import(token, wanted, &key)),
        )
    }
}

impl Tokens {
    /// Puts a key there where none is, and opens it.
    async fn put(
        &self,
        entry: &str,
        algorithm: Algorithm,
        make: impl FnOnce(&Token, &Wanted) -> Result<(), Wrong> + Send + 'static,
    ) -> Result<PublicKey, Problem> {
        let spec = KeySpec::of(entry, Some(algorithm));
        let opened = self.on_thread(entry, move |token, wanted| {
            let there = token.with(|opened| object::named(&opened.session, &wanted));
            if !there.map_err(|fault| unreached(token, fault))?.is_empty() {
                let fix = "choose another label; a key in a token is never overwritten";
                return Err(("is there already".to_owned(), fix.to_owned()));
            }
            make(token, &wanted)?;
            open(token, wanted, &spec)
        });
        Ok(opened.await?.public_key().clone())
    }
}

/// Finds a key, and what is public of it.
fn open(token: &Arc<Token>, wanted: Wanted, spec: &KeySpec) -> Result<TokenKey, Wrong> {
    let objects = token.with(|opened| object::named(&opened.session, &wanted));
    let objects = objects.map_err(|fault| unreached(token, fault))?;
    let [object] = objects.as_slice() else {
        return Err(none_or_many(token, &wanted, objects.len()));
    };
    if object.asks_always {
        let fix = "make a key without CKA_ALWAYS_AUTHENTICATE".to_owned();
        return Err(("wants the PIN before each signature".to_owned(), fix));
    }
    let algorithm = spec.decide(&object.fits)?;
    let asked = *Asked::of(algorithm).expect("keys fit what tokens are asked for");
    let public = object.public_key(algorithm);
    let shared = algorithm.is_shared();
    if public.is_none() && !shared {
        return Err((
            "has no public half beside it that is known here".to_owned(),
            "write it into the token with the key's id: pkcs11-tool --write-object PUB.der --type \
             pubkey --id …; RSA keys are to have 2048 to 8192 bits"
                .to_owned(),
        ));
    }
    let held = Arc::new(Held::new(Arc::clone(token), wanted, asked, public.clone()));
    let public = match public {
        Some(public) => public,
        None => held.known_by_mac().map_err(|fault| unreached(token, fault))?,
    };
    Ok(TokenKey::new(held, public))
}

/// A token that is not there, or says no.
fn unreached(token: &Token, fault: Fault) -> Wrong {
    if let Some(why) = token.module.unloadable() {
        let what = format!("is out of reach: the module cannot be loaded: {why}");
        return (what, "install the module, or name another in `module`".to_owned());
    }
    let module = token.module.path().display();
    match fault {
        Fault::Gone(what) => (
            format!("is out of reach: {what}"),
            format!("see what is there: pkcs11-tool --module {module} --list-slots"),
        ),
        Fault::Refused(what) => (
            format!("is of no use: {what}"),
            format!("mend the store's token, serial or pin; pkcs11-tool --module {module} -L"),
        ),
    }
}

fn none_or_many(token: &Token, wanted: &Wanted, found: usize) -> Wrong {
    match (found, &token.pin) {
        (0, None) => (
            "is not in the token, which shows private keys after a login alone".to_owned(),
            "write pin = \"file:…\" in the store, or another label or id".to_owned(),
        ),
        (0, Some(_)) => match wanted.label.as_deref().and_then(pasted) {
            Some(problem) => (problem.what, problem.fix),
            None => (
                "is not in the token".to_owned(),
                "write a label or an id (id=%01) that pkcs11-tool --login --list-objects prints"
                    .to_owned(),
            ),
        },
        _ => (format!("is {found} keys"), "write the id of one: object=…;id=%01".to_owned()),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?} {:?} in {})", self.label, self.serial, self.module.display())
    }
}

/// How long a token may take to be found, or to make a key: RSA keys take seconds on small devices.
const PATIENCE: Duration = Duration::from_secs(10);
