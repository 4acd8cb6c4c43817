//! Files in the record: whose they are, which message has them, how long they stay.

use beckon::model::attachment::{Attachment, AttachmentId, FileType};
use beckon::model::decision::SummaryState;
use beckon::model::entry::{By, Entry, HolderKind, Kind, Logged};
use beckon::model::ids::{ActorId, EntryId};
use beckon::model::time::{Millis, Ms};
use beckon::record::{Line, LineId, NewAttachment, Record};

use super::record::{PARTITION, beneath, conversation, dump, empty_line, pos, record, summary};

const NOW: Ms = Ms(1_764_000_000_000);
const MOST: u64 = 10 << 20;

fn ana() -> ActorId {
    ActorId::user("ana")
}

fn file(name: &str, bytes: Vec<u8>) -> NewAttachment {
    NewAttachment { name: name.to_owned(), kind: FileType::Png, dimensions: Some((800, 600)), bytes }
}

async fn kept(record: &Record, customer: &ActorId, name: &str) -> Attachment {
    record.keep_attachment(customer, file(name, b"bytes".to_vec()), MOST, NOW).await.unwrap().unwrap()
}

/// All bytes of a file; nothing of one that is gone.
async fn bytes_of(record: &Record, id: &AttachmentId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut n = 0;
    while let Some(piece) = record.attachment_piece(id, n).await.unwrap() {
        bytes.extend(piece);
        n += 1;
    }
    bytes
}

/// Line `n` of the archive, with a message that names these files.
fn said(n: u64, customer: &ActorId, attachments: Vec<Attachment>) -> Line {
    let mut line = empty_line(n, Some(customer.clone()));
    let kind = Kind::Message {
        text: String::new(),
        attachments,
        locale: None,
        choices: Vec::new(),
        choice: None,
        client_id: None,
        name: None,
    };
    let id = EntryId(conversation(n));
    let entry =
        Entry { n: 1, seq: 1, visible: true, id, at: NOW, by: By::Customer, turn_id: None, attempt: None, kind };
    line.conversations = vec![summary(n, "ana", SummaryState::Open, HolderKind::Assistant, n)];
    line.entries = vec![Logged { conversation: conversation(n), entry }];
    Line { id: LineId { epoch: 1, n }, line, input: None }
}

#[tokio::test]
async fn a_file_comes_back_whole_with_what_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let bytes: Vec<u8> = (0..700_001_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let sent = record.keep_attachment(&ana(), file("caf\u{e9} \u{1f600}.png", bytes.clone()), MOST, NOW).await;
    let sent = sent.unwrap().unwrap();
    assert_eq!((sent.size, sent.width, sent.height), (700_001, Some(800), Some(600)));
    assert_eq!(record.attachment(&sent.id).await.unwrap(), Some((ana(), sent.clone())));
    assert!(record.attachment_piece(&sent.id, 0).await.unwrap().unwrap().len() < 300_000, "nobody holds it as a whole");
    assert_eq!(bytes_of(&record, &sent.id).await, bytes);
    let pdf = NewAttachment { kind: FileType::Pdf, dimensions: None, ..file("a.pdf", vec![0, 255, 0]) };
    let pdf = record.keep_attachment(&ana(), pdf, MOST, NOW).await.unwrap().unwrap();
    assert_eq!(record.attachment(&pdf.id).await.unwrap(), Some((ana(), pdf.clone())));
    assert_eq!(bytes_of(&record, &pdf.id).await, [0, 255, 0]);
    let other = AttachmentId::of("abcdefghijklmnopqrstuvwx");
    assert_eq!(record.attachment(&other).await.unwrap(), None);
    assert!(bytes_of(&record, &other).await.is_empty());
}

#[tokio::test]
async fn the_files_of_one_customer_are_bounded_and_each_counts_for_more_than_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let keep = async |customer: &ActorId, size: usize| {
        record.keep_attachment(customer, file("a.png", vec![7; size]), 100_000, NOW).await.unwrap().is_some()
    };
    assert!(keep(&ana(), 60_000).await);
    assert!(!keep(&ana(), 60_000).await);
    assert!(keep(&ActorId::user("ben"), 60_000).await, "what others have does not count");
    let mut tiny = 0;
    while keep(&ana(), 1).await {
        tiny += 1;
    }
    assert_eq!(tiny, 9, "4 KiB each beside the byte");
    assert_eq!(record.attachments_size().await.unwrap(), 2 * 60_000 + 9 + 11 * 4_096);

    // At once, too: none of them sees that there is room for itself alone.
    let cleo = ActorId::user("cleo");
    let both = futures_util::future::join_all((0..8).map(|_| keep(&cleo, 60_000))).await;
    assert_eq!(both.into_iter().filter(|kept| *kept).count(), 1);
}

#[tokio::test]
async fn a_file_is_of_one_message_of_its_own_customer() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let (ben, first, second) = (ActorId::user("ben"), "client-id-of-message-1", "client-id-of-message-2");
    let (a, b, c) = (
        kept(&record, &ana(), "a.png").await,
        kept(&record, &ana(), "b.png").await,
        kept(&record, &ben, "c.png").await,
    );
    let claim = async |customer: &ActorId, client_id: &str, files: &[&Attachment]| {
        let ids: Vec<AttachmentId> = files.iter().map(|file| file.id.clone()).collect();
        record.claim_attachments(customer, client_id, &ids, NOW).await.unwrap()
    };
    assert_eq!(claim(&ana(), first, &[&a, &c]).await, None, "one of them is another's");
    assert_eq!(claim(&ben, first, &[&a]).await, None);
    let gone = Attachment { id: AttachmentId::of("abcdefghijklmnopqrstuvwx"), ..a.clone() };
    assert_eq!(claim(&ana(), first, &[&b, &gone]).await, None);
    assert_eq!(claim(&ana(), first, &[&b, &a]).await, Some(vec![b.clone(), a.clone()]), "none was given before");
    assert_eq!(claim(&ana(), second, &[&a]).await, None, "it is of the first");

    // Sent again under its id, those stand that were given first.
    assert_eq!(claim(&ana(), first, &[&b, &a]).await, Some(vec![b.clone(), a.clone()]));
    let d = kept(&record, &ana(), "d.png").await;
    assert_eq!(claim(&ana(), first, &[&a, &d]).await, Some(vec![a.clone(), b.clone()]));
    assert_eq!(claim(&ana(), second, &[&d]).await, Some(vec![d.clone()]), "so that one was not given");
    assert_eq!(claim(&ben, first, &[&c]).await, Some(vec![c]), "ids of messages are each customer's own");

    // A message that was refused gives its files back; one that the archive has does not.
    record.archive(PARTITION, vec![said(1, &ana(), vec![d.clone()])]).await.unwrap();
    record.release_attachments(&ana(), first).await.unwrap();
    record.release_attachments(&ana(), second).await.unwrap();
    assert_eq!(claim(&ana(), "client-id-of-message-3", &[&a]).await, Some(vec![a]));
    assert_eq!(claim(&ana(), "client-id-of-message-4", &[&d]).await, None);
}

#[tokio::test]
async fn of_two_messages_at_once_one_gets_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    for round in 0..10 {
        let (a, b) = (kept(&record, &ana(), "a.png").await.id, kept(&record, &ana(), "b.png").await.id);
        let (one, other) = ([a.clone(), b.clone()], [b, a]);
        let customer = ana();
        let (first, second) = (format!("first-message-{round:04}"), format!("second-message-{round:03}"));
        let (first, second) = tokio::join!(
            record.claim_attachments(&customer, &first, &one, NOW),
            record.claim_attachments(&customer, &second, &other, NOW),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_ne!(first.is_some(), second.is_some(), "{round}: {first:?} {second:?}");
    }
}

#[tokio::test]
async fn what_no_message_names_is_swept_and_what_one_names_stays() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let unnamed = kept(&record, &ana(), "unnamed.png").await;
    let named = kept(&record, &ana(), "named.png").await;
    let lost = kept(&record, &ana(), "lost.png").await;
    let later = NOW.plus(Millis::minutes(59));
    for (client_id, file) in [("message-with-a-file", &named), ("message-that-was-lost", &lost)] {
        let claimed = record.claim_attachments(&ana(), client_id, std::slice::from_ref(&file.id), later).await;
        assert!(claimed.unwrap().is_some());
    }
    let there = async |file: &Attachment| !bytes_of(&record, &file.id).await.is_empty();
    assert_eq!(record.sweep_attachments(NOW.plus(Millis::hours(1))).await.unwrap(), 0, "not before its hour is over");
    assert!(there(&unnamed).await);
    assert_eq!(record.sweep_attachments(NOW.plus(Millis(3_600_001))).await.unwrap(), 1);
    assert_eq!((there(&unnamed).await, record.attachment(&unnamed.id).await.unwrap()), (false, None));
    assert!(there(&named).await && there(&lost).await, "their messages may still be on their way to the archive");

    let line = said(1, &ana(), vec![named.clone()]);
    record.archive(PARTITION, vec![line]).await.unwrap();
    assert_eq!(record.sweep_attachments(later.plus(Millis::hours(25))).await.unwrap(), 1);
    assert!(there(&named).await && !there(&lost).await);
    assert_eq!(record.sweep_attachments(later.plus(Millis::hours(24 * 365))).await.unwrap(), 0);

    // Views come and go; files are none.
    record.rebuild(&mut |_, _| ()).await.unwrap();
    assert!(there(&named).await);
    assert_eq!(record.sweep_attachments(later.plus(Millis::hours(24 * 365))).await.unwrap(), 0);
}

#[tokio::test]
async fn files_go_with_a_conversation_that_was_kept_long_enough() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let (old, new) = (kept(&record, &ana(), "old.png").await, kept(&record, &ana(), "new.png").await);
    for (client_id, file) in [("message-of-long-ago", &old), ("message-of-just-now", &new)] {
        record.claim_attachments(&ana(), client_id, std::slice::from_ref(&file.id), NOW).await.unwrap().unwrap();
    }
    let lines = [(1, &old), (9, &new)].map(|(n, file)| {
        let mut line = said(n, &ana(), vec![file.clone()]);
        line.line.conversations[0].state = SummaryState::Closed;
        line
    });
    record.archive(PARTITION, lines.to_vec()).await.unwrap();
    record.prune(PARTITION, Ms(pos(5).ms), LineId::default()).await.unwrap();
    assert_eq!(record.sweep_attachments(NOW.plus(Millis::hours(24 * 365))).await.unwrap(), 1);
    assert_eq!((bytes_of(&record, &old.id).await, record.attachment(&old.id).await.unwrap()), (Vec::new(), None));
    assert_eq!(bytes_of(&record, &new.id).await, b"bytes");
}

#[tokio::test]
async fn many_files_are_swept_to_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    for _ in 0..70 {
        kept(&record, &ana(), "a.png").await;
    }
    assert_eq!(record.sweep_attachments(NOW.plus(Millis::hours(2))).await.unwrap(), 70);
    assert_eq!(dump(&folder, &["attachment"]).await, Vec::<String>::new());
    assert_eq!(pieces(&folder).await, 0);
}

async fn pieces(folder: &tempfile::TempDir) -> i64 {
    let sql = "select count(*) from attachment_piece";
    sqlx::query_scalar(sql).fetch_one(&beneath(folder).await).await.unwrap()
}

#[tokio::test]
async fn an_erased_customers_files_are_gone_named_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(&folder).await;
    let (named, loose) = (kept(&record, &ana(), "xyzzy.png").await, kept(&record, &ana(), "xyzzy.png").await);
    let bens = kept(&record, &ActorId::user("ben"), "ben.png").await;
    record.archive(PARTITION, vec![said(1, &ana(), vec![named.clone()])]).await.unwrap();
    let mut erased = empty_line(2, Some(ana()));
    erased.erased = true;
    assert!(dump(&folder, &["attachment", "entry", "archive_line"]).await.concat().contains("xyzzy"));
    let erase = Line { id: LineId { epoch: 1, n: 2 }, line: erased, input: None };
    record.archive(PARTITION, vec![erase]).await.unwrap();
    for file in [&named, &loose] {
        assert_eq!(record.attachment(&file.id).await.unwrap(), None);
        assert!(bytes_of(&record, &file.id).await.is_empty());
    }
    assert!(!dump(&folder, &["attachment", "entry", "archive_line"]).await.concat().contains("xyzzy"));
    assert_eq!(bytes_of(&record, &bens.id).await, b"bytes");
    assert_eq!(pieces(&folder).await, 1, "no bytes are left behind");
}
