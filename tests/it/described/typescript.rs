//! JSON Schema, as far as the frames use it, written as types of TypeScript.

use std::fmt::Write as _;

use serde_json::Value;

/// A file with a type for each schema.
pub fn types(schemas: &Value) -> String {
    let mut file = "// The frames of `beckon.v1`. Made from the server's own types: do not edit.\n".to_owned();
    for (name, schema) in schemas.as_object().unwrap() {
        let about = schema["description"].as_str().unwrap_or_default();
        let form = of(schema, "");
        let gap = if form.starts_with('\n') { "" } else { " " };
        let _ = write!(file, "\n{}export type {name} ={gap}{form};\n", comment(about, ""));
    }
    file
}

fn comment(about: &str, indent: &str) -> String {
    let words = about.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { String::new() } else { format!("{indent}/** {words} */\n") }
}

fn of(schema: &Value, indent: &str) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        return target.rsplit('/').next().unwrap().to_owned();
    }
    if let Some(some) = schema["oneOf"].as_array() {
        let some: Vec<String> =
            some.iter().map(|one| format!("\n{indent}  | {}", of(one, &format!("{indent}    ")))).collect();
        return some.concat();
    }
    if let Some(all) = schema["allOf"].as_array() {
        let all: Vec<String> = all.iter().map(|one| parted(&of(one, indent))).collect();
        return all.join(" & ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    match schema["type"].as_str() {
        Some("string") => "string".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("boolean") => "boolean".to_owned(),
        Some("array") => format!("{}[]", parted(&of(&schema["items"], indent))),
        Some("object") => object(schema, indent),
        other => panic!("no type of TypeScript for {other:?} in {schema}"),
    }
}

/// In brackets where it is more than one word.
fn parted(made: &str) -> String {
    if made.contains('|') && !made.starts_with('{') { format!("({made})") } else { made.to_owned() }
}

fn object(schema: &Value, indent: &str) -> String {
    let Some(members) = schema["properties"].as_object() else {
        let value = schema.get("additionalProperties").filter(|value| value.is_object());
        return format!("Record<string, {}>", value.map_or("unknown".to_owned(), |value| of(value, indent)));
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let inner = format!("{indent}  ");
    let mut form = "{\n".to_owned();
    for (name, member) in members {
        let about = comment(member["description"].as_str().unwrap_or_default(), &inner);
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        let _ = writeln!(form, "{about}{inner}{name}{optional}: {};", of(member, &inner));
    }
    form + indent + "}"
}
