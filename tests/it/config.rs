//! The configuration: layers, mistakes, secrets, and what is printed.

use std::collections::BTreeMap;

use beckon::config::{Checked, Config, ConfigMistake, DEFAULTS, Flag, Input, Secrets, load, print, run_check};
use beckon::http::dashboard::Front;
use beckon::model::attachment::FileType;
use beckon::model::time::Millis;

const SHOP: &str = r#"
[http]
listen = "127.0.0.1:8080"
[[http.api_key]]
name = "shop-backend"
key = "env:BECKON_API_KEY"
rights = ["events", "conversations"]         # and "admin"
source = "shop"                              # the profile that reads its events, section 7; optional
browser = false                              # true: public, only trust = client
[chat]
origins = ["https://shop.example"]
identity_keys = ["env:BECKON_IDENTITY_KEY"]  # HS256; the first signs, all verify
anonymous = true
playbook = "help"                            # optional: answers who speaks first
[store]
url = "embedded:"                            # redis://  rediss://  redis+cluster://
prefix = "bk"
dedupe = "24h"
[record]
url = "sqlite:"                              # postgres://
[[model]]                                    # in order of preference; none: the script speaks
name = "main"
url = "http://127.0.0.1:11434/v1"
model = "some-model"
api_key = "env:LLM_KEY"
[adapter.shop]
url = "https://api.shop.example"
headers = { authorization = "env:SHOP_TOKEN" }
allow_private = false                        # true: its own host may be loopback or private
[notify]
webhook = "https://hooks.example/services/T0PSECRET"
"#;

fn env(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let base = [
        ("BECKON_API_KEY", "planted-api-key"),
        ("BECKON_IDENTITY_KEY", "planted-identity-key-of-32-bytes"),
        ("LLM_KEY", "planted-llm-key"),
        ("SHOP_TOKEN", "Bearer planted-token"),
    ];
    base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(file: &str, more: &[(&str, &str)]) -> Result<Config, Vec<ConfigMistake>> {
    load(&Input { file: file.to_owned(), env: env(more), flags: Vec::new() }, Secrets::Resolve)
}

fn good(file: &str, more: &[(&str, &str)]) -> Config {
    read(file, more).unwrap_or_else(|mistakes| panic!("{}", shown(&mistakes)))
}

fn told(file: &str, more: &[(&str, &str)]) -> String {
    shown(&read(file, more).err().unwrap_or_default())
}

fn shown(mistakes: &[ConfigMistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_proxy_is_believed_only_where_the_configuration_says_that_there_is_one() {
    assert_eq!(good("", &[]).dashboard.front, Front::Nothing);
    let behind = good("[dashboard]\nproxy = true\nsession = \"8h\"", &[]).dashboard;
    assert_eq!((behind.front, behind.session), (Front::Proxy, Millis::hours(8)));
    assert!(told("[dashboard]\nproxy = \"yes\"", &[]).contains("dashboard.proxy"));
}

#[test]
fn files_are_off_until_said_and_their_bounds_fit_each_other() {
    let off = good("", &[]).chat.attachments;
    assert_eq!(off, beckon::http::chat::attachments::Settings::default(), "what is in the file is what the code says");
    assert!(!off.enabled);
    let some =
        "[attachments]\nenabled = true\nmax_size = \"20MiB\"\nmax_count = 10\ntypes = [\"image/png\", \"image/png\"]";
    let some = good(some, &[]).chat.attachments;
    assert_eq!((some.enabled, some.max_size, some.max_count), (true, 20 << 20, 10));
    assert_eq!(some.types, [FileType::Png]);
    for (wrong, said) in [
        ("max_size = \"21MiB\"", "attachments.max_size"),
        ("max_count = 11", "attachments.max_count"),
        ("max_count = 0", "attachments.max_count"),
        ("types = [\"image/svg+xml\"]", "`attachments.types` is one of `image/png`"),
        ("types = []\nenabled = true", "`attachments.types` is empty"),
        ("max_customer = \"1MiB\"", "`attachments.max_size` is larger than `attachments.max_customer`"),
        ("max_total = \"10MiB\"", "`attachments.max_customer` is larger than `attachments.max_total`"),
        ("max_number = 1", "max_number"),
    ] {
        let told = told(&format!("[attachments]\n{wrong}"), &[]);
        assert!(told.contains(said), "{wrong}: {told}");
    }
}

#[test]
fn defaults_alone_are_a_configuration() {
    let config = good("", &[]);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((config.http.limits.body, config.http.limits.items, config.http.limits.item), (1 << 20, 2_500, 1 << 16));
    assert!(config.http.keys.is_empty() && config.models.is_empty() && config.adapters.is_empty());
    assert_eq!(
        (config.store.url.as_str(), config.store.prefix.as_str(), config.store.partitions),
        ("embedded:", "bk", 64)
    );
    assert_eq!(config.store.bounds.dedupe, Millis::hours(24));
    assert_eq!((config.record.url.reveal(), config.record.keep), ("sqlite:", None));
    assert!(config.notify.is_none());
    assert!(config.chat.identity.anonymous && !config.engine.single);
}

#[test]
fn every_line_of_the_defaults_is_a_setting_that_is_known_with_its_default() {
    // Settings behind a `#` without a space have no default, or are sections that may come many times.
    let all: String = DEFAULTS
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let secrets = [("BECKON_NOTIFY_SECRET", "whsec_x")];
    let config = good(&all, &secrets);
    assert_eq!(config.http.keys[0].rights.len(), 1);
    let bare = "[[http.api_key]]\nname = \"n\"\nkey = \"k\"\n[[model]]\nname = \"n\"\nurl = \"http://h/v1\"\nmodel = \"m\"\n[adapter.a]\nurl = \"http://h\"\n";
    let default = good(bare, &[]);
    let (said, unsaid) = (&config.models[0], &default.models[0]);
    assert_eq!(
        (said.first_token, said.concurrency, said.max_tokens),
        (unsaid.first_token, unsaid.concurrency, unsaid.max_tokens)
    );
    let (said, unsaid) = (&config.adapters["shop"], &default.adapters["a"]);
    assert_eq!(
        (said.concurrency, said.max_body, said.allow_private),
        (unsaid.concurrency, unsaid.max_body, unsaid.allow_private)
    );
    assert_eq!(config.http.keys[0].rights, default.http.keys[0].rights);
    // Every setting has a comment of its own above it.
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if line.contains(" = ") && !line.starts_with("# ") {
            assert!(lines[at - 1].starts_with("# "), "`{line}` has no comment");
        }
    }
    // What is printed says every key again, but for those that are secret or unset.
    let printed = print(&config);
    for line in all.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')) {
        let key = line.split(" = ").next().unwrap();
        assert!(printed.contains(&format!("{key} = ")) || printed.contains(&format!(".{key}]")), "{key}\n{printed}");
    }
}

#[test]
fn the_file_of_the_interfaces_is_read() {
    let config = good(SHOP, &[]);
    assert_eq!(config.http.keys[0].name, "shop-backend");
    assert_eq!(config.http.keys[0].key.reveal(), "planted-api-key");
    assert_eq!(config.http.keys[0].rights.len(), 2);
    assert_eq!(config.chat.playbook.as_deref(), Some("help"));
    assert_eq!(config.models[0].api_key.as_ref().map(|key| key.reveal()), Some("planted-llm-key"));
    assert_eq!(config.adapters["shop"].headers[0].1.reveal(), "Bearer planted-token");
}

#[test]
fn the_environment_stands_over_the_file_and_flags_over_all() {
    let more = [
        ("BECKON__HTTP__LISTEN", "0.0.0.0:9000"),
        ("BECKON__HTTP__MAX_BATCH", "10"),
        ("BECKON__CHAT__ORIGINS", r#"["https://a.example", "https://b.example"]"#),
        ("BECKON__CHAT__ANONYMOUS", "false"),
        ("BECKON__MODEL__0__URL", "http://model:1/v1"),
        ("BECKON__MODEL__1__NAME", "second"),
        ("BECKON__MODEL__1__URL", "http://other:1/v1"),
        ("BECKON__MODEL__1__MODEL", "m2"),
        ("BECKON__ADAPTER__SHOP__URL", "http://shop:2"),
        ("BECKON__ADAPTER__SHOP__ALLOW_PRIVATE", "true"),
        ("BECKON__ADAPTER__BANK", r#"{ url = "https://bank.example", concurrency = 3 }"#),
        ("BECKON__STORE__PREFIX", "12"),
        ("BECKON__HTTP__API_KEY__0__NAME", "other"),
        ("BECKON_UNRELATED", "x"),
    ];
    let config = good(SHOP, &more);
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(config.http.limits.items, 10);
    assert_eq!(config.chat.origins, ["https://a.example", "https://b.example"]);
    assert!(!config.chat.identity.anonymous);
    assert_eq!((config.models[0].url.as_str(), config.models[0].name.as_str()), ("http://model:1/v1", "main"));
    assert_eq!((config.models[1].name.as_str(), config.models[1].model.as_str()), ("second", "m2"));
    let shop = &config.adapters["shop"];
    assert_eq!((shop.url.as_str(), shop.allow_private, shop.headers.len()), ("http://shop:2/", true, 1));
    assert_eq!(config.adapters["bank"].concurrency, 3);
    assert_eq!(config.store.prefix, "12");
    assert_eq!(config.http.keys[0].name, "other");

    let models = r#"[{ name = "only", url = "http://m/v1", model = "m" }]"#;
    let config = good(SHOP, &[("BECKON__MODEL", models), ("BECKON__MODEL__0__NAME", "renamed")]);
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.models[0].name, "renamed");

    let flag = Flag { name: "--listen".to_owned(), key: "http.listen".to_owned(), value: "127.0.0.1:1".to_owned() };
    let input = Input { file: SHOP.to_owned(), env: env(&more), flags: vec![flag] };
    assert_eq!(load(&input, Secrets::Resolve).unwrap().http.listen.to_string(), "127.0.0.1:1");
}

#[test]
fn all_mistakes_are_told_together_with_their_places() {
    let file = r#"[http]
listn = "127.0.0.1:8080"
max_body = "lots"
[chat]
origins = ["https://shop.example/cart", "shop"]
anonymous = "yes"
[stor]
url = "embedded:"
[[model]]
name = "main"
[adapter.shop]
url = "ftp://x"
[log]
format = "jsno"
"#;
    let text = told(file, &[("BECKON__STORE__DEDUPE", "soon"), ("BECKON__ENGIN__DATA", "x")]);
    for part in [
        "beckon.toml:2:1: there is no `listn` in `http`",
        "help: did you mean `listen`?",
        "beckon.toml:3:12: a size from 1KiB to 256MiB is expected for `http.max_body`\n",
        "beckon.toml:5:12: `https://shop.example/cart` is no origin",
        "help: did you mean `https://shop.example`?",
        "beckon.toml:5:41: `shop` is no origin",
        "beckon.toml:6:13: true or false is expected for `chat.anonymous`, not text",
        "beckon.toml:7:2: there is no `stor` here",
        "help: did you mean `store`?",
        "`model.url` is required",
        "`model.model` is required",
        "`adapter.shop.url` is no address with https:// or http://",
        "`log.format` is one of `text`, `json`",
        "help: did you mean `json`?",
        "BECKON__STORE__DEDUPE: a time from 1m to 30d, such as `30d`, is expected for `store.dedupe`",
        "BECKON__ENGIN__DATA: there is no `engin` here",
        "help: did you mean `engine`?",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn what_is_kept_is_kept_for_ever_or_for_a_day_at_least() {
    for (said, keep) in [("forever", None), ("1d", Some(Millis::hours(24))), ("400d", Some(Millis::hours(24 * 400)))] {
        assert_eq!(good(&format!("[record]\nkeep = \"{said}\"\n"), &[]).record.keep, keep, "{said}");
    }
    for wrong in ["\"23h\"", "\"always\"", "30"] {
        let text = told(&format!("[record]\nkeep = {wrong}\n"), &[]);
        let said = "beckon.toml:2:8: `forever` or a time from 1d on, such as `400d`, is expected for `record.keep`";
        assert!(text.contains(said), "{wrong}: {text}");
    }
    let printed = print(&good("[record]\nkeep = \"400d\"\n", &[]));
    assert!(printed.contains("keep = \"400d\""), "{printed}");
}

#[test]
fn what_does_not_parse_is_told_and_the_rest_is_checked() {
    let text = told("[http]\nlisten = 127.0.0.1:8080\n[chat]\norigns = []\n", &[]);
    assert!(text.contains("beckon.toml:2:"), "{text}");
    assert!(text.contains("this is not TOML"), "{text}");
    assert!(text.contains("beckon.toml:4:1: there is no `origns` in `chat`"), "{text}");
}

#[test]
fn environment_variables_that_lead_nowhere_are_told() {
    let cases = [
        ("BECKON__HTTP__LISTEN__X", "`listen` is text and has no keys"),
        ("BECKON__MODEL__3__NAME", "`model` has no number 1 before this one"),
        ("BECKON__MODEL__X", "`model` is a list: a number must follow it"),
        ("BECKON__", "the name is incomplete"),
        ("BECKON__HTTP__MAX_BATCH", "a number from 1 to 100000 is expected for `http.max_batch`"),
    ];
    for (name, message) in cases {
        let text = told(SHOP, &[(name, "x")]);
        assert!(text.contains(&format!("{name}: {message}")), "{text}");
    }
}

#[test]
fn secrets_come_from_the_environment_and_files_and_are_asked_for_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "from-a-file\n").unwrap();
    let file = SHOP.replace("env:BECKON_API_KEY", &format!("file:{}", path.display()));
    assert_eq!(good(&file, &[]).http.keys[0].key.reveal(), "from-a-file");
    let text = told(&SHOP.replace("env:LLM_KEY", "env:NOT_SET").replace("env:SHOP_TOKEN", "file:/nowhere/token"), &[]);
    assert!(text.contains("`model.api_key`: the environment variable NOT_SET is not set"), "{text}");
    assert!(text.contains("`adapter.shop.headers.authorization`: the file /nowhere/token cannot be read"), "{text}");
    let file = SHOP.replace("\"embedded:\"", "\"env:STORE\"").replace("\"sqlite:\"", "\"env:RECORD\"");
    let config = good(&file, &[("STORE", "redis://:secret@r:1"), ("RECORD", "postgres://u:p@h/db")]);
    assert_eq!(config.store.url, "redis://:secret@r:1");
    // Where secrets are only named, none of them needs to be there.
    let input = Input { file: file.clone(), env: BTreeMap::new(), flags: Vec::new() };
    assert!(load(&input, Secrets::Leave).is_ok());
}

#[test]
fn nothing_that_is_printed_or_told_shows_a_secret() {
    let file = SHOP
        .replace("\"embedded:\"", "\"rediss://beckon:planted-redis@r:6379\"")
        .replace("\"sqlite:\"", "\"postgres://u:planted-sql@h/db?sslkey=planted-query\"")
        .replace("env:SHOP_TOKEN", "Bearer planted-literal")
        .replace("[notify]\n", "[notify]\nsecret = \"whsec_planted\"\n");
    let config = good(&file, &[]);
    let printed = print(&config);
    for text in
        [&printed, &format!("{:?}", config.http), &format!("{:?}", config.chat), &format!("{:?}", config.record)]
    {
        assert!(!text.contains("planted") && !text.contains("T0PSECRET"), "{text}");
    }
    for part in ["rediss://***@r:6379", "postgres://***@h/db?***", "https://hooks.example/***", "key = \"***\""] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    assert!(toml::from_str::<toml::Table>(&printed).is_ok(), "{printed}");

    // A mistake in the line of a secret, or in the secret itself, shows the line without it.
    let cases = [
        "[adapter.shop]\nurl = \"http://planted@h\"\nheaders = { authorization = \"planted\", host = \"planted\" }\n",
        "[adapter.shop]\nurl = \"planted://user:planted@h\"\n",
        "[[http.api_key]]\nname = \"a\"\nkey = planted-without-quotes\n",
        "[[http.api_key]]\nname = \"a\"\nkey = \"planted\nrights = []\n",
        "[[http.api_key]]\nname = \"a\"\nkey = \"planted\", righst = []\n",
        "[chat]\nidentity_keys = [\"planted\", 3]\n",
        "[store]\nurl = \"redsi://:planted@h\"\n",
        "[record]\nurl = \"planted\"\n",
    ];
    for file in cases {
        let text = told(file, &[]);
        assert!(!text.is_empty() && !text.contains("planted"), "{text}");
    }
    let text = told("", &[("BECKON__STORE__URL", "redsi://:planted@h"), ("BECKON__NOTIFY__WEBHOOK", "planted")]);
    assert!(text.contains("BECKON__STORE__URL: `store.url` begins with one of") && !text.contains("planted"), "{text}");
}

#[test]
fn a_sqlite_record_beside_a_shared_store_is_refused_unless_there_is_one_node() {
    let file = "[store]\nurl = \"redis://r:6379\"\n";
    assert!(told(file, &[]).contains("beckon.toml:2:7: a SQLite record beside a shared store"));
    assert!(read(file, &[("BECKON__ENGINE__SINGLE", "true")]).is_ok());
    assert!(read(file, &[("BECKON__RECORD__URL", "postgres://h/db")]).is_ok());
}

#[test]
fn a_value_of_the_right_kind_is_not_called_another() {
    let text = told("[http]\nmax_body = \"1 gig\"\nmax_batch = 0\n[engine]\nlease = \"1ms\"\n", &[]);
    for part in [
        "a size from 1KiB to 256MiB is expected for `http.max_body`\n",
        "a number from 1 to 100000 is expected for `http.max_batch`\n",
        "a time from 2s to 1m, such as `1m`, is expected for `engine.lease`\n",
        "lease = \"1ms\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let text = told("[engine]\nlease = 3\n", &[]);
    assert!(text.contains("is expected for `engine.lease`, not a number"), "{text}");
}

#[test]
fn a_word_that_is_no_level_is_told_before_it_ends_all_logs() {
    let level = |level: &str| told(&format!("[log]\nlevel = \"{level}\"\n"), &[]);
    for good in ["warn", "INFO", "off", "info,beckon::store=debug", "beckon[span{a}]=trace, warn"] {
        assert_eq!(level(good), "", "{good}");
    }
    let text = level("wran");
    assert!(text.contains("beckon.toml:2:9: `log.level` has `wran`, which is no level"), "{text}");
    assert!(text.contains("help: did you mean `warn`?"), "{text}");
    assert!(level("info,beckon::store").contains("a level, or `target=level`"), "{}", level("info,beckon::store"));
    assert!(level("beckon=inof").contains("did you mean `info`?"));
}

#[test]
fn a_key_of_tokens_that_can_be_guessed_is_refused() {
    let key = |key: &str| told("[chat]\nidentity_keys = [\"env:IDENTITY\"]\n", &[("IDENTITY", key)]);
    assert_eq!(key(&"x".repeat(32)), "");
    let text = key(&"x".repeat(31));
    assert!(text.contains("beckon.toml:2:17: a key of `chat.identity_keys` has fewer than 32 bytes"), "{text}");
}

#[test]
fn settings_that_would_do_nothing_are_told() {
    let text = told("[store]\nmin_replicas = 1\n", &[]);
    assert!(text.contains("beckon.toml:2:16: `store.min_replicas` does nothing"), "{text}");
    let text = told("[[http.api_key]]\nname = \"a\"\nkey = \"k\"\nrights = []\n", &[]);
    assert!(text.contains("beckon.toml:4:10: a key without rights opens nothing"), "{text}");
}

#[test]
fn keys_are_checked() {
    let key = |more: &str| told(&format!("[[http.api_key]]\nname = \"a\"\nkey = \"k\"\n{more}"), &[]);
    assert_eq!(key(""), "");
    assert!(key("rights = [\"event\"]\n").contains("did you mean `events`?"));
    assert!(key("browser = true\nrights = [\"conversations\"]\n").contains("may only send events"));
    assert!(key("[[http.api_key]]\nname = \"a\"\nkey = \"other\"\n").contains("two keys have the name `a`"));
    assert!(key("[[http.api_key]]\nname = \"b\"\nkey = \"k\"\n").contains("`b` is the same key as `a`"));
    assert!(told("[[http.api_key]]\nname = \"a\"\n", &[]).contains("`http.api_key.key` is required"));
    assert!(told("[[http.api_key]]\nname = \"a\"\nkey = \"env:EMPTY\"\n", &[("EMPTY", "")]).contains("is not set"));
}

#[test]
fn check_reports_the_whole_workspace() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("playbooks/help.yaml", "playbook: help\non: []\nopen: { say: Hello }\n");
    let Checked { report, good, .. } = run_check(dir.path());
    assert!(good && report.starts_with("The workspace is sound: 1 playbook, 0 operations, 0 scenarios."), "{report}");
    write("beckon.toml", &SHOP.replace("\"help\"", "\"hepl\"").replace("\"shop\"  ", "\"strip\""));
    let Checked { report, good, .. } = run_check(dir.path());
    assert!(!good && report.ends_with("3 mistakes\n"), "{report}");
    assert!(report.contains("`[adapter.shop]` does nothing: no file of `adapters/` describes it"), "{report}");
    assert!(
        report.contains("`chat.playbook` names `hepl`, and there is no such playbook\n  help: did you mean `help`?")
    );
    assert!(report.contains("names the source `strip`, and there is none\n  help: did you mean `stripe`?"), "{report}");
    write("playbooks/help.yaml", "playbook: help\non: []\nopen: { sya: Hello }\n");
    write("adapters/bank.yaml", "adapter: bank\noperations: {}\n");
    let Checked { report, .. } = run_check(dir.path());
    assert!(report.contains("adapters/bank.yaml:1:10: `bank` has no address in beckon.toml"), "{report}");
    assert!(report.contains("playbooks/help.yaml:3:9: there is no key `sya` here"), "{report}");
    write("playbooks/help.yaml", "playbook: help\non: []\nopen: { say: Hello }\n");
    write("adapters/bank.yaml", "adapter: bank\noperatoins: {}\n");
    write("prompts/large.md", &"x".repeat(300 * 1024));
    std::fs::create_dir(dir.path().join("sources")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("sources/outside.yaml")).unwrap();
    write("tests/help.yaml", "scenarios: [{ scenario: a, steps: [{ sya: Hello }] }]\n");
    let wrong = SHOP.replace("\"help\"", "\"hepl\"").replace("anonymous", "anonymos");
    write("beckon.toml", &wrong);
    let Checked { report, .. } = run_check(dir.path());
    for part in [
        "there is no `anonymos` in `chat`",
        "`chat.playbook` names `hepl`",
        "adapters/bank.yaml:2:1: there is no key `operatoins` here",
        "prompts/large.md:1:1: the file is larger than 256 KiB",
        "sources/outside.yaml:1:1: this is a link to something outside of the workspace",
        "tests/help.yaml:1:",
    ] {
        assert!(report.contains(part), "one mistake hides another: {part}\n{report}");
    }
    assert!(!report.contains("[adapter.shop]"), "a broken file may be the one that describes it: {report}");
    let Checked { report, good, .. } = run_check(tempfile::tempdir().unwrap().path());
    assert!(good && report.contains("There is no playbook in `playbooks/`"), "{report}");
    let Checked { report, good, .. } = run_check(&dir.path().join("nowhere"));
    assert!(!good && report.contains("cannot be read"), "{report}");
}
