//! Keeps of an answer only the fields that its operation names. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::lossy::{cut, without_nul};

/// The deepest value that is kept within a named field.
pub const MAX_DEPTH: usize = 16;

/// The most items of a list that are kept.
pub const MAX_ITEMS: usize = 200;

/// The longest text that is kept, in characters.
pub const MAX_TEXT: usize = 4_000;

/// The most that is kept of an answer, in bytes of JSON, about.
pub const MAX_SIZE: usize = 32 * 1024;

/// How much of an answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// As much as a conversation may hold; what is beyond it is left out.
    Bounded,
    /// All that its body has: a list of customers that lost its end would leave them out without a word.
    All,
}

/// What may still be kept.
struct Room {
    items: usize,
    bytes: usize,
}

impl Amount {
    fn room(self) -> Room {
        match self {
            Amount::Bounded => Room { items: MAX_ITEMS, bytes: MAX_SIZE },
            Amount::All => Room { items: usize::MAX, bytes: usize::MAX },
        }
    }
}

/// What is kept below a point of the answer.
#[derive(Debug, Default)]
struct Keep {
    whole: bool,
    fields: BTreeMap<String, Keep>,
    items: Option<Box<Keep>>,
}

/// The fields of `answer` at these paths (`id`, `a.b`, `items[].label`), where they are; nothing else. A bare list is
/// `items`. What is beyond the bounds is left out, or cut where it is text; NUL becomes U+FFFD.
pub fn keep(answer: Value, paths: &[String], amount: Amount) -> Value {
    let answer = match answer {
        Value::Array(items) => Value::Object(Map::from_iter([("items".to_owned(), Value::Array(items))])),
        other => other,
    };
    let mut root = Keep::default();
    for path in paths {
        root.add(path);
    }
    let mut room = amount.room();
    root.of(answer, MAX_DEPTH, &mut room).filter(Value::is_object).unwrap_or_else(|| Value::Object(Map::new()))
}

impl Keep {
    fn add(&mut self, path: &str) {
        let mut here = self;
        for step in path.split('.') {
            let name = step.trim_end_matches("[]");
            here = here.fields.entry(name.to_owned()).or_default();
            for _ in 0..(step.len() - name.len()) / 2 {
                here = here.items.get_or_insert_default();
            }
        }
        here.whole = true;
    }

    /// What is kept of a value; none where nothing is, or where there is no room.
    fn of(&self, value: Value, depth: usize, room: &mut Room) -> Option<Value> {
        if self.whole {
            return whole(value, depth, room);
        }
        let deeper = depth.checked_sub(1)?;
        match value {
            Value::Object(mut members) if !self.fields.is_empty() => {
                let mut kept = Map::new();
                for (name, keep) in &self.fields {
                    if let Some(member) = members.remove(name)
                        && let Some(member) = keep.of(member, deeper, room)
                    {
                        take(room, name.len() + 4)?;
                        kept.insert(name.clone(), member);
                    }
                }
                Some(Value::Object(kept))
            }
            Value::Array(items) => {
                let keep = self.items.as_ref()?;
                let kept = items.into_iter().take(room.items).map_while(|item| {
                    take(room, 2)?;
                    // An item without the field keeps its place: what is said of the third must not move to the second.
                    Some(keep.of(item, deeper, room).unwrap_or_else(|| Value::Object(Map::new())))
                });
                Some(Value::Array(kept.collect()))
            }
            _ => None,
        }
    }
}

/// A value with all in it, within the bounds.
fn whole(value: Value, depth: usize, room: &mut Room) -> Option<Value> {
    let deeper = depth.checked_sub(1)?;
    match value {
        Value::String(text) => {
            let text = without_nul(cut(&text, MAX_TEXT));
            take(room, text.len() + 2)?;
            Some(Value::String(text))
        }
        Value::Array(items) => {
            take(room, 2)?;
            let kept = items.into_iter().take(room.items).filter_map(|item| whole(item, deeper, room));
            Some(Value::Array(kept.collect()))
        }
        Value::Object(members) => {
            take(room, 2)?;
            let mut kept = Map::new();
            for (name, member) in members {
                if take(room, name.len() + 4).is_some()
                    && let Some(member) = whole(member, deeper, room)
                {
                    kept.insert(without_nul(name), member);
                }
            }
            Some(Value::Object(kept))
        }
        scalar => {
            take(room, 8)?;
            Some(scalar)
        }
    }
}

fn take(room: &mut Room, bytes: usize) -> Option<()> {
    room.bytes = room.bytes.checked_sub(bytes)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(answer: Value, paths: &[&str]) -> Value {
        keep(answer, &paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(), Amount::Bounded)
    }

    #[test]
    fn only_named_fields_are_kept() {
        let order = json!({
            "id": 7, "secret": "x", "none": null, "a": { "b": 1, "c": 2, "d": { "e": 3 } },
            "items": [{ "label": "A", "price": 1, "tags": ["x"] }, { "price": 2 }, "odd"], "grid": [[{ "v": 1 }], []],
        });
        let cases: [(&[&str], Value); 12] = [
            (&[], json!({})),
            (&["id"], json!({ "id": 7 })),
            (&["none", "gone", "gone.deeper"], json!({ "none": null })),
            (&["a.b"], json!({ "a": { "b": 1 } })),
            (&["a.b", "a.d.e"], json!({ "a": { "b": 1, "d": { "e": 3 } } })),
            (&["a"], json!({ "a": { "b": 1, "c": 2, "d": { "e": 3 } } })),
            (&["a.b", "a"], json!({ "a": { "b": 1, "c": 2, "d": { "e": 3 } } })),
            (&["items[].label"], json!({ "items": [{ "label": "A" }, {}, {}] })),
            (&["items[].label", "items[].tags[]"], json!({ "items": [{ "label": "A", "tags": ["x"] }, {}, {}] })),
            (&["items.label", "a[].b", "id.x"], json!({})),
            (&["grid[][].v"], json!({ "grid": [[{ "v": 1 }], []] })),
            (&["", "[]", "..", "a..b"], json!({ "a": {} })),
        ];
        for (paths, expected) in cases {
            assert_eq!(kept(order.clone(), paths), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_bare_list_is_items_and_a_bare_value_is_nothing() {
        assert_eq!(kept(json!([{ "id": 1, "x": 2 }]), &["items[].id"]), json!({ "items": [{ "id": 1 }] }));
        assert_eq!(kept(json!([1, 2]), &["items"]), json!({ "items": [1, 2] }));
        for bare in [json!("text"), json!(1), json!(null)] {
            assert_eq!(kept(bare, &["id", "items"]), json!({}));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "d": deep });
        }
        let text = kept(json!({ "deep": deep }), &["deep"]).to_string();
        assert!(text.len() < 200, "{text}");

        let long = kept(json!({ "text": "é".repeat(10_000) }), &["text"]);
        assert_eq!(long["text"].as_str().unwrap().chars().count(), MAX_TEXT + 1);

        let many = json!({ "list": (0..10_000).collect::<Vec<_>>() });
        assert_eq!(kept(many, &["list"])["list"].as_array().unwrap().len(), MAX_ITEMS);

        let wide: Map<String, Value> = (0..100).map(|n| (format!("f{n}"), json!("x".repeat(3_000)))).collect();
        let wide = kept(json!({ "w": wide, "l": vec![json!({ "t": "y".repeat(3_000) }); 100] }), &["w", "l[].t"]);
        assert!(wide.to_string().len() < MAX_SIZE + 2_048, "{}", wide.to_string().len());
    }

    #[test]
    fn nul_is_replaced_in_values_and_names() {
        assert_eq!(kept(json!({ "a": { "b\u{0}": "c\u{0}" } }), &["a"]), json!({ "a": { "b\u{fffd}": "c\u{fffd}" } }));
    }
}
