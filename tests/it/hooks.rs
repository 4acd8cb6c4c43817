//! Vendors' webhooks: signatures over raw bytes, rotation, replay, and what profiles make of bodies (bad input B7).

use beckon::ingest::fixture::verify_fixture;
use beckon::ingest::signature::{VerifyError, verify};
use beckon::ingest::{Headers, Received, hooks};
use beckon::model::catalog::{Scheme, Source};
use beckon::model::event::Trust;
use beckon::model::time::{Millis, Ms};
use beckon::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use crate::door::{Door, RECORDED, Setup, compact, expression, recording, source};

const STRIPE: &str = "whsec_test_secret";
const STANDARD: &str = "whsec_YmVja29uLXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk";
const GITHUB: &str = "gh-secret";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac256(key: &[u8], text: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

fn stripe() -> Source {
    Source {
        id: expression("item.id"),
        kind: expression("'stripe.' + item.type"),
        time: expression("timestamp(item.created)"),
        customer: expression("'user:' + item.data.object.metadata.user_id"),
        data: expression("item.data.object"),
        ..source("stripe", Scheme::Stripe, &["old", STRIPE])
    }
}

fn github() -> Source {
    Source {
        kind: expression("'github.' + headers['x-github-event']"),
        customer: expression("'user:' + item.sender.login"),
        ..source("github", Scheme::Github, &[GITHUB])
    }
}

fn alertmanager() -> Source {
    Source {
        each: expression("body.alerts"),
        id: expression("item.fingerprint + '/' + item.startsAt + '/' + item.status"),
        kind: expression("'alert.' + item.status"),
        time: expression("item.startsAt"),
        customer: expression("'user:' + item.labels.customer_id"),
        ..source("alertmanager", Scheme::Bearer, &["am-token"])
    }
}

fn standard() -> Source {
    Source {
        kind: expression("item.type"),
        customer: expression("'user:' + item.data.user_id"),
        data: expression("item.data"),
        ..source("std", Scheme::StandardWebhooks, &[STANDARD])
    }
}

async fn open() -> Door {
    let sources = vec![stripe(), github(), alertmanager(), standard()];
    Door::open(Setup { sources, now: Some(RECORDED), ..Setup::default() }).await
}

#[tokio::test]
async fn stripes_webhook_is_verified_and_becomes_an_event_once() {
    let door = open().await;
    let request = &recording("stripe-node")[0];
    let (status, answer) = door.send(request.to(&door, "/hooks/stripe")).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", "stripe.invoice.payment_failed"));
    assert_eq!((event.source.as_str(), event.trust), ("stripe", Trust::Server));
    assert_eq!(event.time, Some(Ms(1_795_420_800_000)));
    assert_eq!(event.customer, None, "this customer has no user id there");
    assert_eq!(event.data["attempt_count"], 2);
    let (status, answer) = door.send(request.to(&door, "/hooks/stripe")).await;
    assert_eq!((status, &answer["results"][0]["status"]), (202, &json!("duplicate")), "a replay is the same event");
    let (status, _) = door.send(request.to(&door, "/hooks/stripe").body(compact(&request.body))).await;
    assert_eq!(status, 401, "the same JSON written otherwise was not signed");
    assert_eq!(door.inputs().await, 1);
}

#[tokio::test]
async fn standard_webhooks_and_svix_are_verified() {
    let door = open().await;
    for request in recording("standardwebhooks-svix-node") {
        let (status, answer) = door.send(request.to(&door, "/hooks/std")).await;
        assert_eq!(status, 202, "{answer}");
        let event = door.event(&answer["results"][0]["event"]).await;
        assert_eq!((event.id.as_str(), event.kind.as_str()), ("msg_2f0", "order.delayed"));
        assert_eq!(event.customer.unwrap().as_str(), "user:u_1");
    }
    assert_eq!(door.inputs().await, 1, "both are one delivery");
}

#[tokio::test]
async fn githubs_webhook_is_verified() {
    let door = open().await;
    let request = &recording("octokit-webhooks")[0];
    let (status, answer) = door.send(request.to(&door, "/hooks/github")).await;
    assert_eq!(status, 202, "{answer}");
    let event = door.event(&answer["results"][0]["event"]).await;
    assert_eq!(event.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    assert_eq!((event.kind.as_str(), event.customer.unwrap().as_str()), ("github.issues", "user:Codertocat"));
}

#[tokio::test]
async fn one_post_of_alertmanager_holds_many_alerts() {
    let door = open().await;
    let requests = recording("alertmanager");
    for (request, kind) in requests.iter().zip(["alert.firing", "alert.resolved"]) {
        let (status, answer) = door.send(request.to(&door, "/hooks/alertmanager")).await;
        assert_eq!(status, 202, "{answer}");
        let event = door.event(&answer["results"][0]["event"]).await;
        assert_eq!((event.kind.as_str(), event.customer.unwrap().as_str()), (kind, "user:u_1"));
    }
    let mut body: Value = serde_json::from_str(&requests[0].body).unwrap();
    let alert = body["alerts"][0].clone();
    let mut nameless = alert.clone();
    nameless.as_object_mut().unwrap().remove("fingerprint");
    let mut foreign = alert.clone();
    foreign["fingerprint"] = json!("other");
    foreign["labels"]["customer_id"] = json!(7);
    body["alerts"] = json!([alert, nameless, foreign]);
    let (status, answer) = door.send(requests[0].to(&door, "/hooks/alertmanager").body(body.to_string())).await;
    let statuses: Vec<&str> =
        answer["results"].as_array().unwrap().iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!((status, statuses), (202, vec!["duplicate", "rejected", "accepted"]), "{answer}");
    assert_eq!(answer["results"][1]["error"]["pointer"], "/1/id");
    assert_eq!(door.event(&answer["results"][2]["event"]).await.customer, None, "a number is no user id");
}

#[tokio::test]
async fn what_cannot_be_verified_is_401_without_a_hint() {
    let door = open().await;
    let request = &recording("alertmanager")[0];
    let wrong = door.post("/hooks/alertmanager").bearer_auth("wrong").body(request.body.clone());
    let missing = door.post("/hooks/alertmanager").body(request.body.clone());
    let (status, first) = door.send(wrong).await;
    assert_eq!(status, 401);
    assert_eq!(door.send(missing).await, (401, first));
    let unknown = door.post("/hooks/nobody").bearer_auth("am-token").body("{}");
    assert_eq!(door.send(unknown).await.0, 404);
    let no_json = door.post("/hooks/alertmanager").bearer_auth("am-token").body("{\"alerts\":[1,]}");
    let (status, problem) = door.send(no_json).await;
    assert_eq!((status, &problem["type"]), (400, &json!("/problems/invalid-json")));
    let no_alerts = door.post("/hooks/alertmanager").bearer_auth("am-token").body("{}");
    assert_eq!(door.send(no_alerts).await.0, 400);
    assert_eq!(door.inputs().await, 0);
}

/// A request that says this, and whether it is believed at [`RECORDED`].
fn tried(scheme: Scheme, secrets: &[&str], headers: &[(&str, String)], body: &[u8]) -> Result<(), VerifyError> {
    let source = source("s", scheme, secrets);
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    let headers: Headers = headers.iter().map(|(name, value)| (*name, value)).collect();
    verify(&source.verify.unwrap(), &secrets, &headers, body, RECORDED)
}

fn at(offset: i64) -> String {
    (RECORDED.0 as i64 / 1_000 + offset).to_string()
}

fn stripe_header(secret: &str, offset: i64, body: &[u8]) -> String {
    let time = at(offset);
    format!("t={time},v1={}", hex(&hmac256(secret.as_bytes(), &[format!("{time}.").as_bytes(), body].concat())))
}

#[test]
fn stripes_signatures_hold_time_rotation_and_bytes() {
    let body = br#"{ "a" : 1 }"#;
    let said =
        |header: String, body: &[u8]| tried(Scheme::Stripe, &["new", "old"], &[("Stripe-Signature", header)], body);
    assert_eq!(said(stripe_header("new", 0, body), body), Ok(()));
    assert_eq!(said(stripe_header("old", 0, body), body), Ok(()), "rotation of secrets");
    let two = format!("{},v1={}", stripe_header("gone", 0, body), &stripe_header("new", 0, body)[16..]);
    assert_eq!(said(two, body), Ok(()), "two signatures");
    assert_eq!(said(stripe_header("new", 299, body), body), Ok(()));
    assert_eq!(said(stripe_header("new", -300, body), body), Ok(()));
    assert_eq!(said(stripe_header("new", -301, body), body), Err(VerifyError::Time(Millis::seconds(301))));
    assert_eq!(said(stripe_header("new", 301, body), body), Err(VerifyError::Time(Millis::seconds(301))));
    assert_eq!(said(stripe_header("gone", 0, body), body), Err(VerifyError::Signature));
    assert_eq!(said(stripe_header("new", 0, body), br#"{"a":1}"#), Err(VerifyError::Signature), "written anew");
    let moved = stripe_header("new", 0, body).replace(&at(0), &at(1));
    assert_eq!(said(moved, body), Err(VerifyError::Signature), "the time is signed");
    let old_scheme = stripe_header("new", 0, body).replace("v1=", "v0=");
    for header in ["", "t=1", "v1=00", &old_scheme, "t=x,v1=00", "t=-1,v1=00", "t=99999999999999999999,v1=00"] {
        assert_eq!(said(header.to_owned(), body), Err(VerifyError::Header("stripe-signature")), "{header}");
    }
    assert_eq!(tried(Scheme::Stripe, &["new"], &[], body), Err(VerifyError::Header("stripe-signature")));
    assert_eq!(
        tried(Scheme::Stripe, &[], &[("stripe-signature", stripe_header("new", 0, body))], body),
        Err(VerifyError::NoSecret)
    );
}

#[test]
fn standard_webhooks_sign_id_time_and_bytes() {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD;
    let key = base64.decode(STANDARD.trim_start_matches("whsec_")).unwrap();
    let body = b"{}";
    let signature = |id: &str, offset: i64| {
        format!("v1,{}", base64.encode(hmac256(&key, format!("{id}.{}.{{}}", at(offset)).as_bytes())))
    };
    let said = |id: &str, offset: i64, list: String| {
        let headers = [("webhook-id", id.to_owned()), ("webhook-timestamp", at(offset)), ("webhook-signature", list)];
        tried(Scheme::StandardWebhooks, &[STANDARD], &headers, body)
    };
    assert_eq!(said("m", 0, signature("m", 0)), Ok(()));
    assert_eq!(said("m", 0, format!("v1a,xxxx v1,AAAA {}", signature("m", 0))), Ok(()), "several, one fits");
    assert_eq!(said("n", 0, signature("m", 0)), Err(VerifyError::Signature), "the id is signed");
    assert_eq!(said("m", -600, signature("m", -600)), Err(VerifyError::Time(Millis::minutes(10))));
    assert_eq!(said("m", 0, "v1,".to_owned()), Err(VerifyError::Header("webhook-signature")));
    assert_eq!(said("m", 0, signature("m", 0).replace("v1,", "v2,")), Err(VerifyError::Header("webhook-signature")));
}

/// What a webhook is answered over HTTP: signed at `offset` seconds from the server's time.
async fn answered(door: &Door, id: &str, offset: i64, signed: &[u8], sent: &[u8], more: &str) -> u16 {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD;
    let key = base64.decode(STANDARD.trim_start_matches("whsec_")).unwrap();
    let text = [format!("msg_1.{}.", at(offset)).as_bytes(), signed].concat();
    let request = door.post("/hooks/std").header("webhook-id", id).header("webhook-timestamp", at(offset));
    let request = request.header("webhook-signature", format!("{more}v1,{}", base64.encode(hmac256(&key, &text))));
    door.send(request.body(sent.to_vec())).await.0
}

#[tokio::test]
async fn a_webhook_is_held_to_its_time_its_id_and_its_bytes_at_the_door() {
    let door = open().await;
    let body = br#"{ "type": "order.delayed", "data": { "user_id": "u_1" } }"#;
    let anew = br#"{"type":"order.delayed","data":{"user_id":"u_1"}}"#;
    let refused = [
        ("msg_1", -301, &body[..], ""),
        ("msg_1", 302, &body[..], ""),
        ("msg_2", 0, &body[..], ""),
        ("msg_1", 0, &anew[..], ""),
        ("msg_1", 0, &br#"{ "type": "order.paid" }"#[..], ""),
    ];
    for (id, offset, sent, more) in refused {
        assert_eq!(answered(&door, id, offset, body, sent, more).await, 401, "{id} {offset}");
    }
    assert_eq!(door.inputs().await, 0);
    assert_eq!(answered(&door, "msg_1", -299, body, body, "").await, 202);
    assert_eq!(answered(&door, "msg_1", 0, body, body, "v1,AAAA ").await, 202, "two signatures, of which one fits");
    assert_eq!(answered(&door, "msg_1", 299, body, body, "").await, 202);
    assert_eq!(door.inputs().await, 1, "a delivery sent again is the same event");
    let bare = door.post("/hooks/std").body(body.to_vec());
    assert_eq!(door.send(bare).await.0, 401, "no header");
}

#[test]
fn segments_and_bearers_schemes_are_spoken() {
    let body = b"{\"a\":1}";
    let mac = Hmac::<Sha1>::new_from_slice(b"shared").unwrap().chain_update(body).finalize().into_bytes();
    let said = |value: String| tried(Scheme::Segment, &["shared"], &[("x-signature", value)], body);
    assert_eq!(said(hex(&mac)), Ok(()));
    assert_eq!(said(hex(&mac).to_uppercase()), Ok(()));
    assert_eq!(said(hex(&mac)[2..].to_owned()), Err(VerifyError::Signature));
    assert_eq!(said(String::new()), Err(VerifyError::Header("x-signature")));
    let bearer = |value: &str| tried(Scheme::Bearer, &["new", "old"], &[("authorization", value.to_owned())], body);
    assert_eq!(bearer("Bearer old"), Ok(()));
    assert_eq!(bearer("bearer new"), Ok(()));
    assert_eq!(bearer("Bearer ol"), Err(VerifyError::Signature));
    assert_eq!(bearer("Basic old"), Err(VerifyError::Header("authorization")));
    let github = |value: &str| tried(Scheme::Github, &["s"], &[("x-hub-signature-256", value.to_owned())], body);
    assert_eq!(github(&format!("sha256={}", hex(&hmac256(b"s", body)))), Ok(()));
    assert_eq!(github(&hex(&hmac256(b"s", body))), Err(VerifyError::Header("x-hub-signature-256")));
}

#[test]
fn a_profile_can_be_tried_on_a_recording() {
    let capture = |name: &str| {
        std::fs::read_to_string(format!("{}/tests/captures/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for (source, name, secret) in [
        (stripe(), "stripe-node", STRIPE),
        (standard(), "standardwebhooks-svix-node", STANDARD),
        (github(), "octokit-webhooks", GITHUB),
        (alertmanager(), "alertmanager", "am-token"),
    ] {
        let report = verify_fixture(&source, &capture(name), &[Secret::new(secret)]);
        assert_eq!(report.unverified, None, "{name}");
        assert!(report.is_good() && report.events.len() == 1, "{name}: {report:?}");
        let report = verify_fixture(&source, &capture(name), &[Secret::new("another")]);
        assert!(report.unverified.is_some() && !report.is_good(), "{name}");
    }
    let body = "{\"id\":\"evt_2\",\"type\":\"t\",\"created\":1,\"data\":{\"object\":{}}}";
    let header = stripe_header(STRIPE, -1_000_000, body.as_bytes());
    let text = format!("POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: {header}\r\n\r\n{body}\n");
    let report = verify_fixture(&stripe(), &text, &[Secret::new(STRIPE)]);
    assert!(report.is_good(), "{report:?}");
    assert!(report.notes[0].contains("taken for now"), "{report:?}");
    for wrong in ["", "{", "{}", "{\"requests\":[]}", "POST / HTTP/1.1"] {
        assert!(verify_fixture(&stripe(), wrong, &[]).unverified.is_some(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_headers_or_bytes_make_verifying_panic(
        name in "stripe-signature|webhook-(id|timestamp|signature)|x-signature|x-hub-signature-256|authorization",
        value in "(t=|v1=|v1,|sha256=|Bearer |[0-9a-fA-F,. =]|\\PC){0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        for scheme in [Scheme::Stripe, Scheme::StandardWebhooks, Scheme::Github, Scheme::Segment, Scheme::Bearer] {
            let said = tried(scheme, &["s"], &[(name.as_str(), value.clone())], &body);
            prop_assert!(said.is_err());
        }
    }

    #[test]
    fn no_body_makes_a_profile_panic(body in r#"[\[\]{}":,a-z0-9 ]{0,60}"#) {
        let received = Received { at: RECORDED, trust: Trust::Server, max_item: 1_000, max_items: 10, max_body: 20_000 };
        for source in [stripe(), alertmanager(), standard()] {
            let _ = hooks::events_of(&source, &Headers::default(), body.as_bytes(), &received);
        }
    }
}
