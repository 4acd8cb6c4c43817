//! JSON Schemas of what a company writes, for editors and `beckon check --schema`. Kept by hand beside the readers: a
//! test holds that both know the same keys.

use serde_json::Value;

/// JSON Schema of a playbook.
pub fn playbook_schema() -> Value {
    parse(include_str!("schema/playbook.json"))
}

/// JSON Schema of an adapter.
pub fn adapter_schema() -> Value {
    parse(include_str!("schema/adapter.json"))
}

/// JSON Schema of a source.
pub fn source_schema() -> Value {
    parse(include_str!("schema/source.json"))
}

/// JSON Schema of `contact.yaml`.
pub fn contact_schema() -> Value {
    parse(include_str!("schema/contact.json"))
}

/// JSON Schema of a file of scenarios.
pub fn scenario_schema() -> Value {
    parse(include_str!("schema/scenario.json"))
}

/// The files are part of the binary, and a test reads them.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalog::{adapter, operation, playbook, restraint, scenario, script, source, topic, trigger};

    fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
        let properties = schema.pointer(&format!("{pointer}/properties")).and_then(Value::as_object);
        properties.unwrap_or_else(|| panic!("{pointer}")).keys().cloned().collect()
    }

    #[test]
    fn readers_and_schemas_know_the_same_keys() {
        let schemas = [
            ("playbook", playbook_schema()),
            ("adapter", adapter_schema()),
            ("source", source_schema()),
            ("contact", contact_schema()),
        ];
        let steps = "/properties/talk/properties/script/properties/steps/items";
        let call = format!("{steps}/properties/call/additionalProperties");
        let each = format!("{steps}/properties/choices/oneOf/1");
        let on = "/properties/on/items";
        let of = |condition: &str| format!("{on}/properties/{condition}");
        let cases: &[(&str, &str, &[&str])] = &[
            ("playbook", "", playbook::PLAYBOOK),
            ("playbook", on, trigger::TRIGGER),
            ("playbook", &of("count"), trigger::COUNT),
            ("playbook", &of("sum"), trigger::TOTAL),
            ("playbook", &of("max"), trigger::TOTAL),
            ("playbook", &of("first"), trigger::FIRST),
            ("playbook", &of("sequence"), trigger::SEQUENCE),
            ("playbook", &of("absence"), trigger::ABSENCE),
            ("playbook", &of("change"), trigger::CHANGE),
            ("playbook", &of("change/properties/of"), trigger::USUAL),
            ("playbook", &of("topic"), topic::TOPIC),
            ("playbook", &of("topic/properties/to"), topic::TO),
            ("playbook", &of("topic/properties/to/properties/followers"), topic::FOLLOWERS),
            ("playbook", &of("topic/properties/updates"), topic::FURTHER),
            ("playbook", &of("topic/properties/ends"), topic::FURTHER),
            ("playbook", "/properties/audience", restraint::AUDIENCE),
            ("playbook", "/properties/consent", restraint::CONSENT),
            ("playbook", "/properties/cooldown", restraint::COOLDOWN),
            ("playbook", "/properties/quiet_hours", restraint::QUIET),
            ("playbook", "/properties/debounce", restraint::DEBOUNCE),
            ("playbook", "/properties/limits", playbook::LIMITS),
            ("playbook", "/properties/context/additionalProperties", playbook::CONTEXT),
            ("playbook", "/properties/open", playbook::OPEN),
            ("playbook", "/properties/talk", playbook::TALK),
            ("playbook", "/properties/talk/properties/limits", playbook::TALK_LIMITS),
            ("playbook", "/properties/talk/properties/script", script::SCRIPT),
            ("playbook", steps, script::STEP),
            ("playbook", &call, script::CALL),
            ("playbook", &each, script::EACH),
            ("playbook", "/properties/handoff", playbook::HANDOFF),
            ("playbook", "/properties/handoff/properties/away", playbook::SAY),
            ("playbook", "/properties/goal", playbook::GOAL),
            ("playbook", "/properties/fallback", playbook::SAY),
            ("adapter", "", adapter::ADAPTER),
            ("adapter", "/properties/operations/additionalProperties", operation::OPERATION),
            ("adapter", "/properties/operations/additionalProperties/properties/request", operation::REQUEST),
            ("contact", "", restraint::CONTACT),
            ("contact", "/properties/budget", restraint::BUDGET),
            ("source", "", source::SOURCE),
            ("source", "/properties/verify", source::VERIFY),
            ("source", "/properties/clock", source::CLOCK),
        ];
        for (name, pointer, known) in cases {
            let schema = &schemas.iter().find(|(other, _)| other == name).unwrap().1;
            let known: BTreeSet<String> = known.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(keys(schema, pointer), known, "{name}{pointer}");
        }
    }

    #[test]
    fn readers_and_schemas_know_the_same_words() {
        let words = |schema: &Value, pointer: &str| -> Vec<String> {
            let found = schema.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}"));
            found.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let method = "/properties/operations/additionalProperties/properties/request/properties/method/enum";
        assert_eq!(words(&adapter_schema(), method), operation::METHODS.map(|(word, _)| word));
        let scheme = "/properties/verify/properties/scheme/enum";
        assert_eq!(words(&source_schema(), scheme), source::SCHEMES.map(|(word, _)| word));
        let of = |pointer: &str| words(&playbook_schema(), &format!("/properties/{pointer}/enum"));
        let on = |pointer: &str| of(&format!("on/items/properties/{pointer}"));
        assert_eq!(on("trust"), playbook::TRUST.map(|(word, _)| word));
        assert_eq!(on("count/properties/window"), trigger::WINDOW.map(|(word, _)| word));
        assert_eq!(on("sequence/properties/order"), trigger::ORDER.map(|(word, _)| word));
        assert_eq!(on("sequence/properties/then"), trigger::THEN.map(|(word, _)| word));
        assert_eq!(on("absence/properties/from"), trigger::FROM.map(|(word, _)| word));
        assert_eq!(on("change/properties/season"), trigger::SEASON.map(|(word, _)| word));
        assert_eq!(of("class"), restraint::CLASS.map(|(word, _)| word));
        assert_eq!(of("quiet_hours/properties/then"), restraint::THEN_QUIET.map(|(word, _)| word));
        assert_eq!(of("when_open"), restraint::WHEN_OPEN.map(|(word, _)| word));
        assert_eq!(of("joining"), restraint::JOINING.map(|(word, _)| word));
    }

    #[test]
    fn readers_and_schema_of_scenarios_know_the_same_keys() {
        let schema = scenario_schema();
        let set = |known: &[&str]| -> BTreeSet<String> { known.iter().map(|key| (*key).to_owned()).collect() };
        let one = "/properties/scenarios/items";
        let step = format!("{one}/properties/steps/items/oneOf/1");
        let expect = format!("{step}/properties/expect");
        assert_eq!(keys(&schema, ""), set(scenario::SUITE));
        assert_eq!(keys(&schema, "/properties/given"), set(scenario::GIVEN));
        assert_eq!(keys(&schema, one), set(scenario::SCENARIO));
        assert_eq!(keys(&schema, "/properties/given/properties/api/additionalProperties"), set(scenario::ANSWER));
        let all = scenario::STEP.iter().flat_map(|(verb, with)| with.iter().chain([verb])).chain(scenario::ANY);
        let all: Vec<&str> = all.copied().collect();
        assert_eq!(keys(&schema, &step), set(&all));
        assert_eq!(keys(&schema, &format!("{step}/properties/model/oneOf/1")), set(scenario::MODEL));
        assert_eq!(keys(&schema, &expect), set(scenario::EXPECT));
        assert_eq!(keys(&schema, &format!("{expect}/properties/confirm/oneOf/1")), set(scenario::WORDS));
        let verdict = format!("{expect}/properties/verdicts/additionalProperties/oneOf/1");
        assert_eq!(keys(&schema, &verdict), set(scenario::VERDICT));
        let verbs = schema.pointer(&format!("{step}/oneOf")).and_then(Value::as_array).unwrap();
        let verbs: Vec<&str> = verbs.iter().filter_map(|verb| verb.pointer("/required/0")?.as_str()).collect();
        assert_eq!(verbs, scenario::STEP.iter().map(|(verb, _)| *verb).collect::<Vec<_>>());
    }

    #[test]
    fn shipped_sources_fit_the_schema() {
        let schema = jsonschema::validator_for(&source_schema()).unwrap();
        for (name, text) in source::SHIPPED {
            let mut mistakes = crate::catalog::mistake::Mistakes::default();
            let file = crate::catalog::mistake::File { path: name, text };
            let node = crate::catalog::yaml::parse(file, &mut mistakes).unwrap();
            assert!(schema.is_valid(&node.to_json()), "{name}");
        }
    }
}
