//! The Beckon workspace of this shop, inside the binary: what the company writes so that Beckon knows when to
//! talk to its customers and what it may do for them.

macro_rules! file {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../workspace/", $path)) as &'static [u8])
    };
}

/// The files of the workspace: path inside its folder, content. Its scenarios are for `beckon test`, and left out.
pub const FILES: &[(&str, &[u8])] = &[
    file!("beckon.toml"),
    file!("contact.yaml"),
    file!("playbooks/back-in-stock.yaml"),
    file!("playbooks/browse-without-purchase.yaml"),
    file!("playbooks/cart-abandoned.yaml"),
    file!("playbooks/checkout-trouble.yaml"),
    file!("prompts/back-in-stock.md"),
    file!("prompts/browse-without-purchase.md"),
    file!("prompts/cart-abandoned.md"),
    file!("prompts/checkout-trouble.md"),
    file!("prompts/northwind.md"),
    file!("adapters/shop.yaml"),
];

#[cfg(test)]
mod tests {
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
