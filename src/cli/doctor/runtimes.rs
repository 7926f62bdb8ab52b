//! The runtimes that are tried, and what each is told to do: get one URL, with nothing in the
//! program that knows of a proxy.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use super::scene::{HOST, Scene};
use super::trial::{Outcome, Trial};
use crate::cli::CliError;
use crate::cli::exec::java::{self, Java};

/// A program, or a library of one.
#[derive(Debug)]
pub(super) struct Runtime {
    /// As `--runtime` has it.
    pub(super) name: &'static str,
    /// The variables it needs by its documents: each the one to set, then others that it reads for
    /// the same.
    pub(super) needs: &'static [&'static [&'static str]],
    /// Whether its exit code says whether it got an answer. git and cargo get one that means
    /// nothing to them.
    pub(super) succeeds: bool,
    /// What a program has to do all the same, where it has to do something.
    pub(super) remark: &'static str,
    /// What may be the matter when it does not work, where that is known.
    pub(super) advice: &'static str,
    prepare: fn(&Scene) -> Prepared,
}

impl Runtime {
    /// What to run, where the runtime is there.
    pub(super) async fn prepare(&self, scene: &Scene) -> Result<Option<Trial>, CliError> {
        let Prepared { check, trial } = (self.prepare)(scene);
        let Some(trial) = trial else { return Ok(None) };
        match check {
            Some(check) if check.run(&scene.base()).await != Outcome::Done => Ok(None),
            Some(_) | None => Ok(Some(trial)),
        }
    }
}

/// A trial, if there is a program for it, and what must succeed before.
struct Prepared {
    check: Option<Trial>,
    trial: Option<Trial>,
}

const PROXY: &[&str] = &["HTTPS_PROXY", "https_proxy"];

/// A runtime of which there is nothing more to say.
const fn runtime(
    name: &'static str,
    needs: &'static [&'static [&'static str]],
    prepare: fn(&Scene) -> Prepared,
) -> Runtime {
    Runtime { name, needs, succeeds: true, remark: "", advice: "", prepare }
}

/// In the order they are tried.
pub(super) const ALL: &[Runtime] = &[
    runtime("curl", &[PROXY, &["SSL_CERT_FILE", "CURL_CA_BUNDLE"]], |scene| {
        unchecked(trial(scene, "curl", &["-sS", "-f", "-o", "/dev/null", &url()]))
    }),
    runtime("wget", &[&["https_proxy"], &["WGETRC"]], |scene| {
        unchecked(trial(scene, "wget", &["-nv", "-t", "1", "-O", "/dev/null", &url()]))
    }),
    runtime("python-requests", &[PROXY, &["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]], |scene| {
        python(scene, "requests", "requests.get(url).raise_for_status()")
    }),
    runtime("python-httpx", &[PROXY, &["SSL_CERT_FILE"]], |scene| {
        python(scene, "httpx", "httpx.get(url).raise_for_status()")
    }),
    Runtime {
        remark: TRUST_ENV,
        ..runtime("python-aiohttp", &[PROXY, &["SSL_CERT_FILE"]], |scene| {
            python(scene, "aiohttp", &aiohttp("get(url) as answer:", "answer.raise_for_status()"))
        })
    },
    Runtime {
        // The stand-in is none for WebSockets.
        succeeds: false,
        remark: TRUST_ENV,
        ..runtime("aiohttp-socket", &[&["WSS_PROXY", "wss_proxy"], &["SSL_CERT_FILE"]], |scene| {
            let open = "ws_connect(url.replace('https', 'wss')):";
            python(scene, "aiohttp", &aiohttp(open, "pass"))
        })
    },
    runtime("python-urllib", &[PROXY, &["SSL_CERT_FILE"]], |scene| {
        python(scene, "urllib.request", "urllib.request.urlopen(url).read()")
    }),
    Runtime {
        advice: "it reads these variables from 22.21 and 24 on",
        ..runtime("node", &[PROXY, &["NODE_EXTRA_CA_CERTS"], &["NODE_USE_ENV_PROXY"]], |scene| {
            let arguments = ["--input-type=module", "-e", NODE, &url()];
            unchecked(trial(scene, "node", &arguments))
        })
    },
    runtime("deno", &[PROXY, &["DENO_CERT"]], |scene| {
        unchecked(trial(scene, "deno", &["eval", &fetch()]))
    }),
    runtime("bun", &[PROXY, &["NODE_EXTRA_CA_CERTS"]], |scene| {
        unchecked(trial(scene, "bun", &["-e", &fetch()]))
    }),
    runtime("ruby", &[PROXY, &["SSL_CERT_FILE"]], |scene| {
        unchecked(trial(scene, "ruby", &["-rnet/http", "-e", RUBY, &url()]))
    }),
    runtime("php-curl", &[PROXY, &["PHP_INI_SCAN_DIR"]], |scene| Prepared {
        check: trial(scene, "php", &["-r", "exit(function_exists('curl_init') ? 0 : 1);"]),
        trial: trial(scene, "php", &["-r", PHP, &url()]),
    }),
    runtime("perl-lwp", &[PROXY, &["PERL_LWP_ENV_PROXY"], &["PERL_LWP_SSL_CA_FILE"]], |scene| {
        Prepared {
            check: trial(scene, "perl", &["-MLWP::Protocol::https", "-e", "1"]),
            trial: trial(scene, "perl", &["-MLWP::UserAgent", "-e", PERL, &url()]),
        }
    }),
    runtime("java", &[&[java::VARIABLE]], with_java),
    Runtime {
        succeeds: false,
        ..runtime("git", &[PROXY, &["GIT_SSL_CAINFO"]], |scene| {
            let trial = trial(scene, "git", &["ls-remote", &url()]);
            unchecked(trial.map(|t| t.with("GIT_TERMINAL_PROMPT", "0")))
        })
    },
    Runtime {
        succeeds: false,
        ..runtime("cargo", &[PROXY, &["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"]], with_cargo)
    },
];

const TRUST_ENV: &str = "with ClientSession(trust_env=True)";

fn url() -> String {
    format!("https://{HOST}/v1/doctor")
}

/// A session of aiohttp that does one thing.
fn aiohttp(opened: &str, then: &str) -> String {
    format!(
        "import asyncio
    async def main():
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with session.{opened}
                {then}
    asyncio.run(main())"
    )
}

/// For those that take what they run as text and nothing beside it.
fn fetch() -> String {
    format!("if (!(await fetch('{}')).ok) throw new Error('not accepted')", url())
}

const RUBY: &str = "begin
  answer = Net::HTTP.get_response(URI(ARGV[0]))
  abort \"answered #{answer.code}\" unless answer.code == '200'
rescue => error
  abort error.message
end";

const PHP: &str = "$c = curl_init($argv[1]);
curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true]);
if (curl_exec($c) === false) { fwrite(STDERR, curl_error($c)); exit(1); }";

const PERL: &str = "my $answer = LWP::UserAgent->new->get($ARGV[0]);
$answer->is_success or die $answer->status_line, qq(\\n);";

const NODE: &str = "try {
  const answer = await fetch(process.argv[1])
  if (!answer.ok) throw new Error(`answered ${answer.status}`)
} catch (error) {
  console.error(String(error.cause ?? error))
  process.exit(1)
}";

const JAVA: &str = r#"import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

public final class Get {
    public static void main(String[] arguments) {
        try {
            var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
            var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IllegalStateException("answered " + answer.statusCode());
            }
        } catch (Exception error) {
            System.err.println(error);
            System.exit(1);
        }
    }
}
"#;

/// A program of `PATH` in the scene's directory.
fn trial(scene: &Scene, program: &str, arguments: &[&str]) -> Option<Trial> {
    let program = find(scene, program)?;
    Some(Trial::new(program, arguments.iter().copied(), scene.place("")))
}

fn find(scene: &Scene, program: &str) -> Option<PathBuf> {
    let path = scene.caller.get(OsStr::new("PATH"))?;
    std::env::split_paths(path).map(|part| part.join(program)).find(|path| path.is_file())
}

/// A program that needs nothing to be looked at before.
fn unchecked(trial: Option<Trial>) -> Prepared {
    Prepared { check: None, trial }
}

/// Python with a library that may not be there.
fn python(scene: &Scene, library: &str, get: &str) -> Prepared {
    let import = format!("import {library}");
    let program = format!(
        "import sys, {library}\nurl = sys.argv[1]\ntry:\n    {get}\nexcept Exception as error:\n    \
         sys.exit(f'{{type(error).__name__}}: {{error}}'.replace('\\n', ' '))\n"
    );
    Prepared {
        check: trial(scene, "python3", &["-c", &import]),
        trial: trial(scene, "python3", &["-c", &program, &url()]),
    }
}

/// Compiles its program first, so that a trial is a start of Java and no more.
fn with_java(scene: &Scene) -> Prepared {
    let tools = Java::find(&scene.caller).and_then(|java| {
        let source = scene.place("Get.java");
        fs::write(&source, JAVA).ok()?;
        Some((java.program("javac")?, java.program("java")?, source))
    });
    let Some((javac, java, source)) = tools else {
        return unchecked(None);
    };
    let place = scene.place("");
    let compile: [OsString; 3] = ["-d".into(), place.clone().into(), source.into()];
    let run: [OsString; 4] = ["-cp".into(), place.clone().into(), "Get".into(), url().into()];
    Prepared {
        check: Some(Trial::new(javac, compile, place.clone())),
        trial: Some(Trial::new(java, run, place)),
    }
}

/// A registry of its own, in a home of its own.
fn with_cargo(scene: &Scene) -> Prepared {
    let home = scene.place("cargo-home");
    let registry = format!("[registries.doctor]\nindex = \"sparse+https://{HOST}/index/\"\n");
    let written = fs::create_dir_all(&home)
        .and_then(|()| fs::write(home.join("config.toml"), registry.as_bytes()));
    let trial = trial(scene, "cargo", &["search", "--registry", "doctor", "x"]);
    let trial = trial.filter(|_| written.is_ok());
    unchecked(trial.map(|trial| trial.with("CARGO_HOME", home).with("CARGO_NET_RETRY", "0")))
}
