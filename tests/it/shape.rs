//! The shape of the code: a module uses only modules of lower levels, and pure ones know no I/O.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `DESIGN`, section 3.
const LEVELS: &[(&str, u8)] = &[
    ("model", 0),
    ("clock", 1),
    ("telemetry", 1),
    ("secret", 1),
    ("store", 2),
    ("record", 2),
    ("llm", 2),
    ("adapter", 2),
    ("channel", 2),
    ("catalog", 2),
    ("trigger", 3),
    ("dialogue", 3),
    ("engine", 4),
    ("ingest", 4),
    ("http", 5),
    ("rehearsal", 5),
    ("config", 6),
    ("app", 7),
    ("cli", 8),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
                let module = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    found
}

/// Every path that a text names, groups written out: `use a::{b, c::{d, e}}` names `a::b`, `a::c::d` and `a::c::e`.
fn paths(text: &str) -> Vec<String> {
    let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    // The names before each brace that is open, and the name under way.
    let (mut open, mut name): (Vec<String>, String) = (Vec::new(), String::new());
    let prefix = |open: &[String]| open.concat();
    for letter in plain.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':' => name.push(letter),
            '{' => {
                // A block or a struct's body is no group of names.
                let group = if name.ends_with("::") { std::mem::take(&mut name) } else { String::new() };
                found.push(prefix(&open) + &name);
                name.clear();
                open.push(group);
            }
            // Within a group spaces and line ends mean nothing.
            ' ' if open.last().is_some_and(|group| !group.is_empty()) && name.ends_with("::") => {}
            _ => {
                found.push(prefix(&open) + &name);
                name.clear();
                if letter == '}' {
                    open.pop();
                }
            }
        }
    }
    found.push(name);
    found.retain(|path| path.contains("::") && !path.ends_with("::"));
    found
}

/// The modules of this crate that a text uses.
fn used(text: &str) -> Vec<String> {
    let of_crate = |path: &String| Some(path.strip_prefix("crate::")?.split("::").next()?.to_owned());
    paths(text).iter().filter_map(of_crate).collect()
}

#[test]
fn imports_in_groups_are_seen() {
    let text = "use crate::{http::keys, store::{self, Fill},\n    app};\nuse std::{fs, io::{self, Read}};\n\
                fn f() { crate::cli::run(crate::llm::Llm { a: std::net::X }); }\n";
    assert_eq!(used(text), ["http", "store", "store", "app", "cli", "llm"]);
    let all = paths(text);
    for path in ["std::fs", "std::io::Read", "std::net::X"] {
        assert!(all.iter().any(|found| found == path), "{path} in {all:?}");
    }
}

#[test]
fn a_module_uses_only_modules_of_lower_levels() {
    let levels: BTreeMap<&str, u8> = LEVELS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        let Some(level) = levels.get(module.as_str()) else { continue };
        for other in used(&text) {
            if other == module {
                continue;
            }
            if let Some(theirs) = levels.get(other.as_str())
                && theirs >= level
            {
                wrong.push(format!("{}: {module} ({level}) uses {other} ({theirs})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_know_no_io() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        if ["model", "trigger", "dialogue", "rehearsal"].contains(&module.as_str()) {
            for word in ["async ", "tokio", "SystemTime", "Instant::now", "rand::"] {
                if text.contains(word) {
                    wrong.push(format!("{}: {word}", path.display()));
                }
            }
            // A writer to memory, as templates want one, is no I/O; what opens something is.
            let writer = ["std::io::Write", "std::io::Result", "std::io::Error", "std::io::Error::other"];
            for named in paths(&text).into_iter().filter(|named| !writer.contains(&named.as_str())) {
                if ["std::fs", "std::net", "std::env", "std::io", "std::process", "std::thread"]
                    .iter()
                    .any(|io| named == *io || named.starts_with(&format!("{io}::")))
                {
                    wrong.push(format!("{}: {named}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_where_they_belong() {
    let homes =
        [("axum::", &["http"][..]), ("async_openai::", &["llm"]), ("rusqlite::", &["store"]), ("sqlx::", &["record"])];
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        for (library, home) in homes {
            // `app` starts the server, so it may name axum.
            if text.contains(library) && !home.contains(&module.as_str()) && module != "app" {
                wrong.push(format!("{}: {library}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code of `src/` without comments and without its unit tests.
fn plain_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whoever hard-coded the demo would write its words: what is said, chosen, heard and called there.
#[test]
fn no_word_of_the_examples_stands_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut words = Vec::new();
    let mut open = vec![root];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.components().any(|part| part.as_os_str() == "workspace")
                && path.extension().is_some_and(|e| e == "yaml")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                words.extend(text.split('"').skip(1).step_by(2).map(str::to_owned));
                let names = text.split(|c: char| !(c.is_alphanumeric() || "._-".contains(c)));
                words.extend(names.filter(|name| name.contains(['.', '_', '-'])).map(str::to_owned));
            }
        }
    }
    // Words of the playbook language itself, and short ones that mean nothing alone.
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let language = read("docs/playbooks.md") + &read("docs/testing-playbooks.md");
    let language: Vec<&str> = language
        .lines()
        .filter(|line| line.starts_with('|') || line.starts_with('#'))
        .flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "._-".contains(c))))
        .collect();
    let trimmed = words.iter().map(|word| word.trim_matches(['.', '-', '_']).to_owned());
    let mut words: Vec<String> = trimmed.filter(|word| word.contains([' ', '.', '_', '-'])).collect();
    words.retain(|word| {
        word.len() >= 8
            && !word.contains("customer.id")
            && !word.starts_with("event.data.")
            && !word.starts_with("items[")
            && !language.contains(&word.as_str())
    });
    words.retain(|word| {
        !["asked_for_human", "idempotency_header", "Idempotency-Key", "per_customer"].contains(&word.as_str())
    });
    assert!(words.len() > 50, "the examples were not read: {words:?}");
    let mut wrong = Vec::new();
    for (_, path, text) in sources() {
        let code = plain_code(&text);
        for word in &words {
            if code.contains(word.as_str()) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code spans of a table's cell.
fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The places where a module may be, from its path within `tests/it` or `src`.
fn homes(module: &str) -> Vec<String> {
    let module = module.trim_end_matches("::tests").replace("::", "/");
    ["tests/it", "src"].iter().flat_map(|at| [format!("{at}/{module}.rs"), format!("{at}/{module}/mod.rs")]).collect()
}

/// Every place and test that `docs/promises.md` names is there: a table that names nothing holds nothing.
#[test]
fn what_holds_each_promise_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let page = read("docs/promises.md").unwrap();
    let (mut wrong, mut rows, mut promise) = (Vec::new(), BTreeMap::<u32, usize>::new(), 0);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            promise = heading.split('.').next().unwrap().parse().unwrap_or(0);
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        if promise == 0 || !line.starts_with("| ") || line.starts_with("| what ") || line.starts_with("| --- ") {
            continue;
        }
        let [_, places, tests] = cells[..] else {
            wrong.push(format!("three cells: {line}"));
            continue;
        };
        let (places, tests) = (spans(places), spans(tests));
        if places.is_empty() || tests.is_empty() {
            wrong.push(format!("a place and a test: {line}"));
        }
        *rows.entry(promise).or_default() += 1;
        for place in places {
            let (path, item) = place.split_once("::").unwrap_or((place, ""));
            let Some(text) = read(&format!("src/{path}")) else {
                wrong.push(format!("no file src/{path}"));
                continue;
            };
            let item = item.rsplit("::").next().unwrap();
            let defines = |word: &str| {
                text.match_indices(&format!("{word} {item}")).any(|(at, found)| {
                    !text[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
                })
            };
            if !item.is_empty() && !["fn", "struct", "enum", "const", "static"].iter().any(|word| defines(word)) {
                wrong.push(format!("no `{item}` in src/{path}"));
            }
        }
        for test in tests {
            let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
            let found =
                homes(module).iter().filter_map(|home| read(home)).any(|text| text.contains(&format!("fn {name}(")));
            if !found {
                wrong.push(format!("no test `{test}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let promises: Vec<u32> = rows.keys().copied().collect();
    assert_eq!(promises, [1, 2, 3, 4, 7, 8, 9, 10, 11], "{rows:?}");
}
