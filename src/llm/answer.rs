//! Puts the pieces of a streamed answer together, and says whether they are one. Pure.

use super::wire::{Arguments, CallFragment, Chunk, FunctionFragment, total};
use super::{Completion, LlmError, Request, ToolCall};
use crate::model::lossy::{cut, mend_escapes, without_nul};

/// The most calls of one answer.
const MAX_CALLS: usize = 64;

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    text: String,
    refusal: String,
    calls: Vec<Partial>,
    legacy: Option<Partial>,
    finish: Option<String>,
    tokens: Option<u64>,
    /// Bytes that words and arguments may still take.
    room: usize,
}

#[derive(Debug, Default)]
struct Partial {
    /// The index on the wire; two may share one.
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

/// What a piece brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Words for the customer; may be empty.
    pub words: String,
    /// Whether the model has begun: words, thoughts or calls.
    pub begun: bool,
}

impl Answer {
    /// An answer of at most so many tokens; a server that goes far beyond them is cut.
    pub(super) fn new(max_tokens: u32) -> Answer {
        let room = usize::try_from(max_tokens).unwrap_or(usize::MAX).saturating_mul(32).saturating_add(4_096);
        Answer {
            text: String::new(),
            refusal: String::new(),
            calls: Vec::new(),
            legacy: None,
            finish: None,
            tokens: None,
            room,
        }
    }

    /// Whether the server said that the answer ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes one piece, as JSON.
    ///
    /// # Errors
    /// [`LlmError::Broken`] where it cannot be read or goes beyond the bounds, or the server's own error in the stream.
    pub(super) fn take(&mut self, json: &str) -> Result<Taken, LlmError> {
        let mut json = json.as_bytes().to_vec();
        mend_escapes(&mut json);
        let chunk: Chunk =
            serde_json::from_slice(&json).map_err(|e| LlmError::Broken(format!("a piece is no chunk: {e}")))?;
        if let Some(error) = &chunk.error {
            return Err(in_stream(error));
        }
        if let Some(tokens) = chunk.usage.as_ref().and_then(total) {
            self.tokens = Some(tokens);
        }
        let mut taken = Taken::default();
        let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index.unwrap_or(0) == 0) else {
            return Ok(taken);
        };
        let delta = choice.delta;
        let thoughts = [&delta.reasoning_content, &delta.reasoning].into_iter().flatten().any(|text| !text.is_empty());
        taken.begun = thoughts || !delta.tool_calls.is_empty() || delta.function_call.is_some();
        if let Some(words) = delta.content.filter(|words| !words.is_empty()) {
            taken.words = without_nul(words);
            taken.begun = true;
            self.spend(taken.words.len())?;
            self.text.push_str(&taken.words);
        }
        if let Some(refusal) = delta.refusal {
            self.spend(refusal.len())?;
            self.refusal.push_str(&refusal);
        }
        for fragment in delta.tool_calls {
            self.call(fragment)?;
        }
        if let Some(fragment) = delta.function_call {
            self.spend(size(&fragment))?;
            self.legacy.get_or_insert_default().add(fragment);
        }
        if let Some(finish) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(finish);
        }
        Ok(taken)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), LlmError> {
        self.room = self.room.checked_sub(bytes).ok_or_else(|| LlmError::Broken("the answer has no end".to_owned()))?;
        Ok(())
    }

    /// Adds a fragment to its call, by index; without one, to the call of the same id, else to the last.
    fn call(&mut self, fragment: CallFragment) -> Result<(), LlmError> {
        let id = fragment.id.as_deref().unwrap_or_default();
        self.spend(size(&fragment.function).saturating_add(id.len()))?;
        let named = fragment.function.name.as_deref().is_some_and(|name| !name.is_empty());
        // A second call under the index of the first: some servers give every call index 0, but ids of their own.
        let other = |held: &Partial| named && !id.is_empty() && !held.id.is_empty() && held.id != id;
        let found = match fragment.index {
            Some(index) => self.calls.iter().rposition(|held| held.index == index && !other(held)),
            None if id.is_empty() && !named => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|held| !id.is_empty() && held.id == id),
        };
        if found.is_none() {
            if self.calls.len() >= MAX_CALLS {
                return Err(LlmError::Broken("too many calls".to_owned()));
            }
            let next = self.calls.iter().map(|held| held.index).max().map_or(0, |most| most.saturating_add(1));
            let index = fragment.index.unwrap_or(next);
            self.calls.push(Partial { index, ..Partial::default() });
        }
        let last = self.calls.len().saturating_sub(1);
        let Some(held) = self.calls.get_mut(found.unwrap_or(last)) else { return Ok(()) };
        if held.id.is_empty() {
            id.clone_into(&mut held.id);
        }
        held.add(fragment.function);
        Ok(())
    }

    /// The whole answer.
    ///
    /// # Errors
    /// [`LlmError::Broken`] where the server never said that it ended, ended it at its limit within a call or before
    /// the first word, or said nothing; [`LlmError::Refused`] where its filter or the model itself declined.
    pub(super) fn complete(mut self, request: &Request) -> Result<Completion, LlmError> {
        let broken = |why: &str| Err(LlmError::Broken(why.to_owned()));
        let finish = match self.finish.take() {
            None => return broken("the stream ended without a finish_reason"),
            Some(finish) => finish,
        };
        if self.calls.is_empty() {
            self.calls.extend(self.legacy.take().filter(|call| !call.name.is_empty()));
        }
        match finish.as_str() {
            "content_filter" => return Err(LlmError::Refused("its filter cut the answer".to_owned())),
            "error" => return broken("the server gave up within the answer"),
            "length" if !self.calls.is_empty() => return broken("cut at the limit of tokens within a call"),
            _ => {}
        }
        if self.calls.iter().any(|call| call.name.is_empty()) {
            return broken("a call without a name");
        }
        if self.text.trim().is_empty() && self.calls.is_empty() {
            if !self.refusal.is_empty() {
                return Err(LlmError::Refused(format!("the model declined: {}", cut(&self.refusal, 300))));
            }
            return broken("the answer has neither words nor calls");
        }
        let calls = finished(self.calls);
        let estimate = || tokens(asked(request)).saturating_add(tokens(answered(&self.text, &calls)));
        let tokens = self.tokens.unwrap_or_else(estimate);
        Ok(Completion { text: self.text, calls, tokens })
    }
}

impl Partial {
    fn add(&mut self, fragment: FunctionFragment) {
        // Some servers repeat the name in every fragment; a few send it in pieces.
        if let Some(name) = fragment.name.filter(|name| *name != self.name) {
            self.name.push_str(&name);
        }
        match fragment.arguments {
            Some(Arguments::Text(text)) => self.arguments.push_str(&text),
            Some(Arguments::Whole(value)) if !value.is_null() => self.arguments.push_str(&value.to_string()),
            Some(Arguments::Whole(_)) | None => {}
        }
    }
}

/// Calls in the order of their index, each with an id of its own.
fn finished(mut partial: Vec<Partial>) -> Vec<ToolCall> {
    partial.sort_by_key(|call| call.index);
    let mut calls: Vec<ToolCall> = Vec::with_capacity(partial.len());
    let given: Vec<String> = partial.iter().map(|call| call.id.clone()).collect();
    for (at, call) in partial.into_iter().enumerate() {
        let held = without_nul(call.id);
        let used = calls.iter().any(|other| other.id == held);
        let free = |id: &String| !given.contains(id) && calls.iter().all(|other| other.id != *id);
        let mut made = (at..).map(|n| format!("call_{n}")).filter(free);
        let id = if held.is_empty() || used { made.next().unwrap_or_default() } else { held };
        let arguments = if call.arguments.trim().is_empty() { "{}".to_owned() } else { without_nul(call.arguments) };
        calls.push(ToolCall { id, name: without_nul(call.name), arguments });
    }
    calls
}

fn size(function: &FunctionFragment) -> usize {
    let arguments = match &function.arguments {
        Some(Arguments::Text(text)) => text.len(),
        Some(Arguments::Whole(value)) => value.to_string().len(),
        None => 0,
    };
    function.name.as_deref().map_or(0, str::len).saturating_add(arguments)
}

/// An error that a server sends as a piece of the stream.
fn in_stream(error: &serde_json::Value) -> LlmError {
    let message =
        error.get("message").and_then(serde_json::Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    if is_too_long(&message) {
        LlmError::TooLong
    } else {
        LlmError::Broken(format!("an error: {}", cut(&message, 300)))
    }
}

/// Whether a server's words say that the request is longer than the model's context.
pub(super) fn is_too_long(message: &str) -> bool {
    let message = message.to_lowercase();
    let sizes = ["length", "size", "window", "exceed", "maximum", "too long", "limit"];
    (message.contains("context") && sizes.iter().any(|word| message.contains(word)))
        || message.contains("prompt is too long")
}

fn tokens(characters: usize) -> u64 {
    u64::try_from(characters.div_ceil(4)).unwrap_or(u64::MAX)
}

fn asked(request: &Request) -> usize {
    let said = request.messages.iter().map(|message| match message {
        super::Message::System(text) | super::Message::User(text) => text.chars().count(),
        super::Message::Assistant(text, calls) => answered(text, calls),
        super::Message::Tool { content, .. } => content.chars().count(),
    });
    let offered = request.tools.iter().map(|tool| {
        tool.name.chars().count() + tool.description.chars().count() + tool.parameters.to_string().chars().count()
    });
    request.system.chars().count() + said.sum::<usize>() + offered.sum::<usize>()
}

fn answered(text: &str, calls: &[ToolCall]) -> usize {
    let calls = calls.iter().map(|call| call.name.chars().count() + call.arguments.chars().count());
    text.chars().count() + calls.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn one_of(values: Value) -> impl Strategy<Value = Value> {
        proptest::sample::select(values.as_array().cloned().unwrap())
    }

    prop_compose! {
        fn fragment()(index in one_of(json!([null, 0, 1, 2, 4_294_967_295_u32])),
                      id in one_of(json!([null, "", "a", "call_0", "call_1"])),
                      name in one_of(json!([null, "", "one", "two"])),
                      arguments in one_of(json!([null, "", "{", "\u{0}", { "a": 1 }, []]))) -> Value {
            json!({ "index": index, "id": id, "function": { "name": name, "arguments": arguments } })
        }
    }

    prop_compose! {
        fn piece()(calls in proptest::collection::vec(fragment(), 0..3),
                   content in one_of(json!([null, "", "words", 1])),
                   finish in one_of(json!([null, null, null, "", "stop", "length"])),
                   usage in one_of(json!([null, {}, 1, { "total_tokens": -1 }, { "prompt_tokens": 3 }]))) -> Value {
            let delta = json!({ "content": content, "tool_calls": calls });
            json!({ "choices": [{ "delta": delta, "finish_reason": finish }], "usage": usage })
        }
    }

    proptest! {
        #[test]
        fn no_stream_breaks_it_and_ids_are_never_shared(pieces in proptest::collection::vec(piece(), 0..12)) {
            let mut answer = Answer::new(10);
            for piece in pieces {
                let _ = answer.take(&piece.to_string());
            }
            let _ = answer.take(r#"{"choices":[{"finish_reason":"stop"}]}"#);
            let request = Request { system: String::new(), messages: Vec::new(), tools: Vec::new(), max_tokens: 10 };
            if let Ok(completion) = answer.complete(&request) {
                let mut ids: Vec<_> = completion.calls.iter().map(|call| call.id.clone()).collect();
                ids.sort();
                ids.dedup();
                prop_assert_eq!(ids.len(), completion.calls.len());
                prop_assert!(completion.calls.iter().all(|call| !call.name.is_empty()));
            }
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,80}") {
            let _ = Answer::new(10).take(&text);
        }
    }
}
