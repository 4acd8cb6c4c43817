//! Notifications: signed as other libraries sign, and every answer of a receiver.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use beckon::clock::Clock;
use beckon::engine::notify::{Notifier, NotifyError, Settings, key, sign};
use beckon::model::time::Ms;
use beckon::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::adapter::api;

struct Fixed(Ms);

impl Clock for Fixed {
    fn now(&self) -> Ms {
        self.0
    }
}

fn notifier(url: &Url, secret: Option<&str>) -> Notifier {
    let settings = Settings { url: url.clone(), secret: secret.map(Secret::new), allow_private: true };
    Notifier::new(settings, Arc::new(Fixed(Ms(1_795_424_152_806)))).unwrap()
}

async fn tell(notifier: &Notifier) -> Result<(), NotifyError> {
    let at = Ms::parse_rfc3339("2026-11-23T08:55:52.806Z").unwrap();
    notifier.deliver("msg_2f0", "order.delayed", at, &json!({ "order_id": "A1", "user_id": "u_1" })).await
}

#[tokio::test]
async fn a_notification_is_what_the_standard_webhooks_library_sends() {
    let path = format!("{}/tests/captures/standardwebhooks-svix-node.json", env!("CARGO_MANIFEST_DIR"));
    let capture: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let secret = capture["output"].as_str().unwrap().split(' ').find(|word| word.starts_with("whsec_")).unwrap();
    let recorded = &capture["requests"][0];

    let receiver = api(|| StatusCode::NO_CONTENT.into_response()).await;
    tell(&notifier(&receiver.url, Some(secret))).await.unwrap();
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen[0].method, "POST");
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"] {
        assert_eq!(seen[0].headers[header], *recorded["headers"][header].as_str().unwrap(), "{header}");
    }
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, recorded["body"]);
    assert_eq!(Some(seen[0].body.len() as u64), recorded["bodyBytes"].as_u64());

    let other = sign(&key(&Secret::new(secret)).unwrap(), "msg_2f1", 1_795_424_152, &seen[0].body).unwrap();
    assert_ne!(seen[0].headers["webhook-signature"], *other);
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let receiver = api(|| StatusCode::OK.into_response()).await;
    tell(&notifier(&receiver.url, None)).await.unwrap();
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen[0].headers["webhook-id"], "msg_2f0");
    assert!(!seen[0].headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn only_410_is_final_and_a_redirect_is_a_failure() {
    for status in [300, 301, 302, 307, 308, 400, 401, 404, 422, 429, 500, 503] {
        let other = api(|| StatusCode::OK.into_response()).await;
        let to = other.url.to_string();
        let receiver = api(move || {
            let headers = [("location", to.clone()), ("retry-after", "7".to_owned())];
            (StatusCode::from_u16(status).unwrap(), headers).into_response()
        })
        .await;
        let refused = tell(&notifier(&receiver.url, None)).await.unwrap_err();
        let NotifyError::Retry { after, why } = refused else { panic!("{status}: {refused:?}") };
        assert_eq!(after, Some(Duration::from_secs(7)));
        assert!(why.contains(&status.to_string()), "{why}");
        assert_eq!((receiver.asked(), other.asked()), (1, 0), "{status}");
    }
    let gone = api(|| StatusCode::GONE.into_response()).await;
    assert!(matches!(tell(&notifier(&gone.url, None)).await, Err(NotifyError::GiveUp(_))));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again_and_a_forbidden_one_is_not() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/hook?token=planted", listener.local_addr().unwrap()).parse().unwrap();
    let closed = Settings { url: url.clone(), secret: None, allow_private: false };
    let closed = Notifier::new(closed, Arc::new(Fixed(Ms(0)))).unwrap();
    assert!(matches!(tell(&closed).await, Err(NotifyError::GiveUp(why)) if why.contains("private")));
    drop(listener);
    let refused = tell(&notifier(&url, None)).await.unwrap_err();
    assert!(matches!(refused, NotifyError::Retry { after: None, .. }), "{refused:?}");
    assert!(!refused.to_string().contains("planted"), "{refused}");
}
