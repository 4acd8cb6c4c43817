//! Outside bytes become events: CloudEvents, Segment's calls, vendors' webhooks. Pure: no I/O, no clock, no chance.
//!
//! Not here: routes and keys (`http`), storing (`engine::inbox`), what an event causes (`trigger`).

pub mod body;
pub mod cloudevents;
pub mod fields;
pub mod file;
pub mod fixture;
pub mod hooks;
pub mod profile;
pub mod segment;
pub mod signature;

use serde_json::Value;

use crate::model::event::{Event, Trust};
use crate::model::json::JsonError;
use crate::model::time::Ms;

/// Why an item is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({pointer})")]
pub struct Refused {
    /// A stable code.
    pub code: Code,
    /// JSON pointer to the field, or `header <name>`.
    pub pointer: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}

/// Stable codes of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A field is missing or wrong.
    Invalid,
    /// No JSON, or JSON that nobody should send.
    Json,
    /// Larger than is taken.
    TooLarge,
    /// A browser may not speak of this customer.
    ForeignCustomer,
    /// A format that is not spoken here.
    Unsupported,
}

impl Code {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::Json => "invalid-json",
            Code::TooLarge => "too-large",
            Code::ForeignCustomer => "foreign-customer",
            Code::Unsupported => "unsupported-format",
        }
    }
}

impl Refused {
    /// A field is missing or wrong.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Refused {
        Refused { code: Code::Invalid, pointer: pointer.into(), detail: detail.into() }
    }

    /// The same with another code.
    #[must_use]
    pub fn coded(mut self, code: Code) -> Refused {
        self.code = code;
        self
    }

    /// The same, for an item that stands at `prefix` in something larger.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Refused {
        if !self.pointer.starts_with("header ") {
            self.pointer.insert_str(0, prefix);
        }
        self
    }
}

impl From<JsonError> for Refused {
    fn from(error: JsonError) -> Refused {
        Refused { code: Code::Json, detail: format!("not the JSON it should be: {error}"), pointer: error.pointer }
    }
}

/// One item of a request: an event, or why not, with the sender's id where that could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The sender's id.
    pub id: Option<String>,
    /// The event, or why not.
    pub event: Result<Event, Refused>,
}

impl Item {
    /// An item that is not taken.
    pub fn refused(id: Option<String>, refused: Refused) -> Item {
        Item { id, event: Err(refused) }
    }

    /// An event, after the last check: a browser speaks only of its own anonymous customer.
    pub fn taken(event: Event) -> Item {
        let id = Some(event.id.clone());
        if event.trust == Trust::Client && event.customer.as_ref().is_none_or(|c| c.user_id().is_some()) {
            let detail = "this key is a browser's: its events concern an anonymous customer, never a `user:` or nobody";
            return Item::refused(id, Refused::at("/customer", detail).coded(Code::ForeignCustomer));
        }
        Item { id, event: Ok(event) }
    }
}

/// A request that holds no items that could be looked at one by one.
pub type Items = Result<Vec<Item>, Refused>;

/// What the rim knows of a request beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// When it came.
    pub at: Ms,
    /// Who vouches for it: a browser's key makes it `client`.
    pub trust: Trust,
    /// The largest item, in bytes.
    pub max_item: usize,
    /// The most items of one request.
    pub max_items: usize,
    /// The largest request, in bytes: as it came, and as its items are once each stands for itself.
    pub max_body: usize,
}

impl Received {
    /// Refuses more items than are taken at once.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn check_count(&self, items: usize) -> Result<(), Refused> {
        if items > self.max_items {
            let detail = format!("{items} items; at most {} are taken at once", self.max_items);
            return Err(Refused::at("", detail).coded(Code::TooLarge));
        }
        Ok(())
    }

    /// Refuses an item that is too large.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn check_size(&self, bytes: usize) -> Result<(), Refused> {
        if bytes > self.max_item {
            let detail = format!("{bytes} bytes; an item may have {}", self.max_item);
            return Err(Refused::at("", detail).coded(Code::TooLarge));
        }
        Ok(())
    }

    /// Refuses a request whose items are too large together, once what they share stands in each of them: a small body
    /// must not become a large one here.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn check_whole(&self, bytes: usize) -> Result<(), Refused> {
        if bytes > self.max_body {
            let detail =
                format!("{bytes} bytes once each item has what they share; together they may have {}", self.max_body);
            return Err(Refused::at("", detail).coded(Code::TooLarge));
        }
        Ok(())
    }
}

/// How many bytes a value has as JSON; it is counted, not written.
pub fn size_of(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Nothing here fails: a value is JSON, and counting has room for all.
    serde_json::to_writer(&mut count, value).map_or(usize::MAX, |()| count.0)
}

/// The headers of a request: names in lower case, values as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The first value of a header, where it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of a header.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// All headers, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Headers {
        let lower = |(name, value): (N, V)| (name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec());
        Headers(headers.into_iter().map(lower).collect())
    }
}
