//! What reaches further than the record keeps.

use beckon::config::run_check;

const PLAYBOOK: &str = "playbook: a
on:
  - count: { event: card.declined, at_least: 3, within: 40d }
  - sequence: { events: [a, b], within: 40d }
  - absence: { of: order.paid, after: cart.left, within: 40d }
  - change: { event: user.login, per: 7d, falls_below: 40%, of: { usual: 28d }, for: 2 }
  - event: cart.left
    first: { event: order.paid }
open: { within: 40d, say: Hello }
goal: { event: order.paid, within: 40d }
";

#[test]
fn a_window_longer_than_what_is_kept_is_told_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("playbooks")).unwrap();
    std::fs::write(dir.path().join("playbooks/a.yaml"), PLAYBOOK).unwrap();
    let check = |keep: &str| {
        std::fs::write(dir.path().join("beckon.toml"), format!("[record]\nkeep = \"{keep}\"\n")).unwrap();
        run_check(dir.path())
    };
    let told = check("30d");
    for part in [
        "playbooks/a.yaml:3:57: a replay cannot see this whole: it reaches 40d, and the record keeps 30d\n",
        "  help: set `record.keep` to 40d or more, or make this shorter\n",
        "playbooks/a.yaml:4:41: ",
        "playbooks/a.yaml:5:58: ",
        "playbooks/a.yaml:6:65: a replay cannot see this whole: it reaches 42d, and the record keeps 30d\n",
        "playbooks/a.yaml:8:12: a replay cannot see this whole: it reaches 366d, and the record keeps 30d\n",
        "playbooks/a.yaml:9:17: ",
        "playbooks/a.yaml:10:36: ",
        "\n7 notes\n",
    ] {
        assert!(told.report.contains(part), "{part}:\n{}", told.report);
    }
    // Whoever has to forget may do so: nothing has to be mended.
    assert!(told.good);
    let (just, forever) = (check("40d"), check("forever"));
    assert!(just.report.contains("\n2 notes\n"), "{}", just.report);
    assert!(forever.good && !forever.report.contains("replay"), "{}", forever.report);
}
