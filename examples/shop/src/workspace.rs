//! The Beckon workspace of this shop, inside the binary: what the company writes so that Beckon knows when to
//! talk to its customers and what it may do for them.

macro_rules! file {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../workspace/", $path)) as &'static [u8])
    };
}

/// The files of the workspace: path inside its folder, content.
#[must_use]
pub fn workspace() -> Vec<(&'static str, &'static [u8])> {
    vec![
        file!("beckon.toml"),
        file!("playbooks/checkout-trouble.yaml"),
        file!("prompts/checkout-trouble.md"),
        file!("adapters/shop.yaml"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_in_the_binary_but_for_its_scenarios() {
        let mut found = Vec::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("workspace");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Scenarios are played by `beckon test`, and nothing that serves reads them.
                if path.is_dir() && path != root.join("tests") {
                    folders.push(path);
                } else if path.is_file() {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let mut known: Vec<_> = workspace().into_iter().map(|(path, _)| path.to_owned()).collect();
        known.sort();
        assert_eq!(known, found);
    }

    #[test]
    fn the_prompt_reads_well_whether_or_not_the_order_and_the_name_are_known() {
        let prompt = include_str!("../workspace/prompts/checkout-trouble.md");
        let mut context = tera::Context::new();
        context.insert("customer", &serde_json::json!({ "id": "c-1" }));
        let bare = tera::Tera::one_off(prompt, &context, false).unwrap();
        assert!(bare.contains("# What you know\n\n- The card was declined"), "{bare}");

        let known = serde_json::json!({ "id": "c-1", "traits": { "name": "Ana Duarte" } });
        context.insert("customer", &known);
        let order = serde_json::json!({ "id": "o-1042", "number": "NW-1042", "total": 89.5, "currency": "EUR" });
        context.insert("order", &order);
        let full = tera::Tera::one_off(prompt, &context, false).unwrap();
        for line in ["- The customer is called Ana Duarte.\n", "- It comes to 89.5 EUR.\n"] {
            assert!(full.contains(line), "{full}");
        }
    }
}
