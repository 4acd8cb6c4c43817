//! Walks through the running shop, as a visitor and as Beckon.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod events;
mod pages;
mod payments;
mod world;

use beckon_example_shop::EXAMPLE;
use beckon_example_site::Settings;
use tokio::net::TcpListener;

use world::{API_KEY, API_TOKEN, IDENTITY_KEY};

#[tokio::test]
async fn the_shop_closes_when_it_is_told_to_and_refuses_settings_it_cannot_use() {
    let settings = |beckon: &str, api_token: &str| Settings {
        beckon: beckon.into(),
        api_key: API_KEY.into(),
        identity_key: IDENTITY_KEY.into(),
        api_token: api_token.into(),
    };
    let listener = || TcpListener::bind("127.0.0.1:0");
    let good = settings("http://127.0.0.1:8080/", API_TOKEN);
    EXAMPLE.serve(listener().await.unwrap(), good, std::future::ready(())).await.unwrap();
    for bad in [settings("not a url", API_TOKEN), settings("ftp://x", API_TOKEN), settings("http://x", "")] {
        let error = EXAMPLE.serve(listener().await.unwrap(), bad, std::future::pending()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}
