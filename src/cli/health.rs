//! `health`: whether the proxy of a configuration is ready, for containers with no other program.

use std::time::Duration;

use serde_json::Value;

use super::config_file::ConfigFile;
use super::exec::conversation::{Conversation, whole};
use super::{CliError, runtime};
use crate::config::{Config, Endpoint};

/// As long as engines wait for a probe, unless they are told otherwise.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = DEADLINE.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

/// Says nothing where all is well. No key is opened: the proxy has done that.
pub(super) fn run(args: &HealthArgs) -> Result<(), CliError> {
    let config = Config::load(args.config.path())?;
    let Some(admin) = &config.listen.admin else {
        let what = format!("{} has no listen.admin, which answers", config.path.display());
        return Err(CliError::failed(what, "write admin = \"127.0.0.1:8089\" below [listen]"));
    };
    runtime()?.block_on(async {
        let patience = Duration::from_secs(args.timeout);
        let asked = tokio::time::timeout(patience, ask(admin)).await;
        asked.unwrap_or_else(|_| {
            let what = format!("{admin} has not answered within {} s", patience.as_secs());
            Err(CliError::failed(what, "see whether the proxy has come to a stand"))
        })
    })
}

async fn ask(admin: &Endpoint) -> Result<(), CliError> {
    let asked = async { Conversation::open(admin).await?.get("/readyz", None).await };
    let Some(answer) = asked.await else {
        let what = format!("nothing answers at {admin}");
        return Err(CliError::failed(what, "start it: countersign run"));
    };
    let status = answer.status();
    let body = whole(answer).await.unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    match said["state"].as_str() {
        Some("ready") if status.is_success() => Ok(()),
        Some(state) => {
            let what = format!("the proxy at {admin} is not ready: {}", state.escape_debug());
            Err(CliError::failed(what, "wait, or start it again"))
        }
        None => {
            let what = format!("{admin} answers {status}, and not as countersign does");
            Err(CliError::failed(what, "see what listens there, or mend listen.admin"))
        }
    }
}
