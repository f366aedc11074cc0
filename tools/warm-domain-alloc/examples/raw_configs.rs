//! `raw_configs PREFIX N LABEL`: what the benchmark of allocation compares with. It creates N configs of a lease's size,
//! one after another, as fast as the engine takes them.

use std::process::ExitCode;
use std::time::Duration;

use lib_common::cli::EngineArg;
use lib_common::docker::Engine;
use lib_common::{Error, Result};
use serde_json::json;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(|e| Error::cannot("starting", e)).and_then(|runtime| runtime.block_on(run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Ignore the error: if standard error is gone there is nobody to report to.
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("raw_configs: {error}\n"));
            ExitCode::from(error.exit().code())
        }
    }
}

async fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [prefix, count, label] = &args[..] else {
        return Err(Error::cannot("reading the arguments", "raw_configs PREFIX N LABEL"));
    };
    let count: u32 = count.parse().map_err(|e| Error::cannot("reading the arguments", e))?;
    let arg = EngineArg { host: std::env::var("DOCKER_HOST").ok(), engine_timeout: Duration::from_mins(1) };
    let engine = Engine::connect(&arg).await?;
    for n in 0..count {
        // The same number of labels as a lease has, of the same length.
        let mut labels: serde_json::Map<_, _> = (0..16)
            .map(|n| (format!("redfix.bench.label-{n}"), json!("0123456789abcdef0123456789")))
            .collect();
        labels.insert(label.clone(), json!(""));
        let body = json!({"Name": format!("{prefix}-{n}"), "Labels": labels, "Data": "cmVkZml4IGxlYXNl"});
        engine
            .post("/configs/create", Some(&body))
            .await
            .map_err(|e| e.into_error("creating a config", prefix))?;
    }
    Ok(())
}
