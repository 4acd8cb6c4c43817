//! Northwind alone: `northwind`, with its settings in the environment (see the README).

use std::env;
use std::io::{Error, ErrorKind, Result};
use std::process::ExitCode;

use beckon_example_shop::{Settings, serve};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("northwind: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();

    let settings = settings()?;
    let listen = env::var("SHOP_LISTEN").unwrap_or_else(|_| "127.0.0.1:8090".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    tracing::info!(shop = %format!("http://{}", listener.local_addr()?), beckon = settings.beckon, "the shop is open");
    let stop = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(error = %error, "no signal handler: the shop can only be killed");
            std::future::pending::<()>().await;
        }
    };
    serve(listener, settings, stop).await
}

fn settings() -> Result<Settings> {
    let mut missing = Vec::new();
    let mut need = |name: &'static str| {
        env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
            missing.push(name);
            String::new()
        })
    };
    let settings = Settings {
        beckon: env::var("BECKON_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned()),
        api_key: need("BECKON_API_KEY"),
        identity_key: need("BECKON_IDENTITY_KEY"),
        // Beckon sends this variable as a whole header, so it may begin with the scheme.
        api_token: need("SHOP_TOKEN").trim_start_matches("Bearer ").to_owned(),
    };
    if missing.is_empty() {
        return Ok(settings);
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("set these variables: {}", missing.join(", "))))
}
