//! What the end of a call means, and whether another try is worth it. Pure.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::input::CallOutcome;

/// How reasons begin where the API is away and the same call may pass later; other failures are final.
pub const UNAVAILABLE: &str = "unavailable: ";

/// How one try ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It never left: not connected, or held back here.
    NotSent(String),
    /// It left, and no whole head of an answer came back.
    Lost(String),
    /// The API answered with a status other than 2xx.
    Status(u16),
    /// It answered 2xx; what follows it cannot be read.
    Unreadable(String),
    /// It answered 2xx, with what is kept of the answer.
    Answered(Value),
}

impl End {
    /// Whether the API itself is in trouble: what the breaker counts.
    pub fn is_trouble(&self) -> bool {
        match self {
            End::NotSent(_) | End::Lost(_) | End::Unreadable(_) => true,
            End::Status(status) => *status >= 500,
            End::Answered(_) => false,
        }
    }

    /// What it means for the call. A write is done on 2xx, failed where it never left or on 4xx other than 408, 409 and
    /// 425, else unknown. A read is done or failed.
    pub fn outcome(self, write: bool) -> CallOutcome {
        let away = |why: &str| CallOutcome::Failed(format!("{UNAVAILABLE}{why}"));
        match (self, write) {
            (End::Answered(value), _) => CallOutcome::Done(value),
            // The status has said that it is done.
            (End::Unreadable(_), true) => CallOutcome::Done(Value::Object(Map::new())),
            (End::NotSent(why), _) | (End::Lost(why) | End::Unreadable(why), false) => away(&why),
            (End::Lost(why), true) => CallOutcome::Unknown(why),
            (End::Status(status), true) => {
                let why = format!("the API answered {status}");
                let failed = (400..500).contains(&status) && !matches!(status, 408 | 409 | 425);
                if failed { CallOutcome::Failed(why) } else { CallOutcome::Unknown(why) }
            }
            (End::Status(status), false) => {
                let why = format!("the API answered {status}");
                let passing = status >= 500 || matches!(status, 408 | 425 | 429);
                if passing { away(&why) } else { CallOutcome::Failed(why) }
            }
        }
    }
}

/// How long to wait before the second and the third try: three at most.
pub fn retry_delays(write: bool) -> &'static [Duration] {
    const READ: &[Duration] = &[Duration::from_millis(200), Duration::from_millis(800)];
    const WRITE: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(2)];
    if write { WRITE } else { READ }
}

/// Whether another try may help and do no harm: a read whose API is away; a write that is unknown, under its key.
pub fn is_worth_again(write: bool, has_key: bool, outcome: &CallOutcome) -> bool {
    match outcome {
        CallOutcome::Done(_) => false,
        CallOutcome::Failed(why) => !write && why.starts_with(UNAVAILABLE),
        CallOutcome::Unknown(_) => write && has_key,
    }
}

/// What two tries of one call mean together: after an unknown end only `Done` says more, for a later failure says
/// nothing of the first try.
pub fn together(earlier: CallOutcome, later: CallOutcome) -> CallOutcome {
    match (earlier, later) {
        (CallOutcome::Unknown(_), CallOutcome::Done(value)) => CallOutcome::Done(value),
        (CallOutcome::Unknown(why), _) => CallOutcome::Unknown(why),
        (_, later) => later,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn word(outcome: &CallOutcome) -> &'static str {
        match outcome {
            CallOutcome::Done(_) => "done",
            CallOutcome::Failed(why) if why.starts_with(UNAVAILABLE) => "away",
            CallOutcome::Failed(_) => "failed",
            CallOutcome::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn every_end_has_one_meaning() {
        let why = || "x".to_owned();
        let cases = [
            (End::Answered(json!({})), "done", "done"),
            (End::Unreadable(why()), "done", "away"),
            (End::NotSent(why()), "away", "away"),
            (End::Lost(why()), "unknown", "away"),
            (End::Status(400), "failed", "failed"),
            (End::Status(401), "failed", "failed"),
            (End::Status(402), "failed", "failed"),
            (End::Status(404), "failed", "failed"),
            (End::Status(408), "unknown", "away"),
            (End::Status(409), "unknown", "failed"),
            (End::Status(422), "failed", "failed"),
            (End::Status(425), "unknown", "away"),
            (End::Status(429), "failed", "away"),
            (End::Status(301), "unknown", "failed"),
            (End::Status(304), "unknown", "failed"),
            (End::Status(500), "unknown", "away"),
            (End::Status(503), "unknown", "away"),
        ];
        for (end, write, read) in cases {
            assert_eq!(word(&end.clone().outcome(true)), write, "write {end:?}");
            assert_eq!(word(&end.clone().outcome(false)), read, "read {end:?}");
        }
    }

    #[test]
    fn a_write_is_tried_again_only_under_its_key_and_a_read_only_while_its_api_is_away() {
        let unknown = CallOutcome::Unknown("lost".into());
        let away = CallOutcome::Failed(format!("{UNAVAILABLE}x"));
        let failed = CallOutcome::Failed("the API answered 404".into());
        assert!(is_worth_again(true, true, &unknown) && !is_worth_again(true, false, &unknown));
        assert!(!is_worth_again(true, true, &away) && !is_worth_again(true, true, &failed));
        assert!(is_worth_again(false, false, &away) && !is_worth_again(false, true, &failed));
        assert_eq!(retry_delays(true).len() + 1, 3);
    }

    #[test]
    fn after_an_unknown_end_only_done_says_more() {
        let unknown = || CallOutcome::Unknown("lost".into());
        let failed = || CallOutcome::Failed("x".into());
        let done = || CallOutcome::Done(json!({}));
        assert_eq!(together(unknown(), failed()), unknown());
        assert_eq!(together(unknown(), CallOutcome::Unknown("again".into())), unknown());
        assert_eq!(together(unknown(), done()), done());
        assert_eq!(together(failed(), done()), done());
    }
}
