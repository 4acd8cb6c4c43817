//! Each play of each example, from the button to the outcome.

use serde_json::json;

use super::stage::{Stage, choose_and_confirm, offered, opening};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crew_whose_logins_fall_for_three_weeks_is_asked_why_and_books_a_call() {
    let mut stage = Stage::of("saas").await;
    let mut chat = stage.chat().await;
    stage.press("/play/logins").await;
    stage.shows("/", "Logins by week: 6 7 6 6 2 1 1").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("Logins last week: 1, usual: 6. Reports: 1, usual: 4."), "{said}");

    chat.choose(&id, "No time for it").await;
    assert!(chat.hears().await.contains("fifteen minutes"));
    stage.shows("/", "no time").await;
    chat.choose(&id, "Book a call").await;
    chat.hears().await;
    let slot = offered(&chat, &id)[0].clone();
    let asked = choose_and_confirm(&mut chat, &id, &slot).await;
    assert_eq!(asked, format!("Book a call of fifteen minutes on {slot}"));
    assert_eq!(
        chat.hears().await,
        format!("Done. Ida Nowak calls you on {slot}. Bring one plan that did not work out.")
    );
    stage.goal(&id).await;
    assert_eq!(stage.api("/usage").await["call"], slot);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crew_that_opens_no_report_any_more_is_asked_though_it_comes_as_ever() {
    let mut stage = Stage::of("saas").await;
    let mut chat = stage.chat().await;
    stage.press("/play/reports").await;
    stage.shows("/", "Reports opened: 5 6 5 5 1 1 1").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("Logins last week: 6, usual: 6. Reports: 1, usual: 5."), "{said}");
    chat.choose(&id, "It is hard to use").await;
    assert!(chat.hears().await.contains("A plan in ten minutes"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_abroad_is_told_only_to_who_is_confirmed_and_the_card_is_blocked_as_confirmed() {
    let mut stage = Stage::of("bank").await;
    let mut chat = stage.chat().await;
    stage.press("/play/abroad").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("confirm on your Breakwater page that it is you"), "{said}");

    chat.choose(&id, "I have confirmed it").await;
    let told = chat.hears().await;
    assert!(told.contains("Your identity is not confirmed yet"), "{told}");
    chat.say(&id, "It was not me, block my card").await;
    let told = chat.hears().await;
    assert!(told.contains("Your identity is not confirmed yet"), "{told}");
    let so_far = chat.story();
    // As words have them: digits alone stand in ids and times too.
    for fact in ["742.0", "€742", "ending 7710", "visa-7710", "Sereia"] {
        assert!(!so_far.contains(fact), "{fact}: {so_far}");
    }

    stage.press("/identity").await;
    chat.choose(&id, "I have confirmed it").await;
    let told = chat.hears().await;
    assert!(told.contains("Visa ending 7710 paid 742.0 EUR to Joalharia Sereia (PT)"), "{told}");
    let asked = choose_and_confirm(&mut chat, &id, "Block the card").await;
    assert_eq!(asked, "Block Visa ending 7710 now. It cannot be unblocked.");
    assert!(chat.hears().await.starts_with("Visa ending 7710 is blocked"));
    stage.goal(&id).await;
    let page = stage.page("/").await;
    assert!(page.contains("blocked") && page.contains("not yours"), "{page}");
    assert!(!chat.story().contains("For staff only"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_payments_in_four_minutes_are_asked_about_and_kept_as_the_customers_own() {
    let mut stage = Stage::of("bank").await;
    let mut chat = stage.chat().await;
    stage.press("/identity").await;
    stage.press("/play/burst").await;
    let (id, _) = opening(&mut chat).await;
    chat.say(&id, "done").await;
    let told = chat.hears().await;
    assert!(told.contains("Mastercard ending 2094 paid 245.0 EUR to Loods Zes (NL)"), "{told}");
    let asked = choose_and_confirm(&mut chat, &id, "It was me").await;
    assert!(asked.starts_with("I made payment P-"), "{asked}");
    assert!(chat.hears().await.contains("stays in use"));
    stage.goal(&id).await;
    assert!(stage.page("/").await.contains("yours"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_deposit_leads_to_an_adviser_and_to_no_advice() {
    let mut stage = Stage::of("bank").await;
    let mut chat = stage.chat().await;
    stage.press("/play/deposit").await;
    let (id, said) = opening(&mut chat).await;
    assert!(!said.contains("18"), "{said}");
    chat.say(&id, "Should I invest it?").await;
    assert_eq!(chat.hears().await, "I give no advice on money. An adviser can, in person.");
    chat.choose(&id, "Book an appointment").await;
    chat.hears().await;
    let slot = offered(&chat, &id)[0].clone();
    choose_and_confirm(&mut chat, &id, &slot).await;
    assert_eq!(chat.hears().await, format!("Your appointment is booked: {slot}."));
    stage.goal(&id).await;
    assert!(stage.page("/").await.contains(&slot));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_parcel_goes_to_a_pick_up_point() {
    let mut stage = Stage::of("logistics").await;
    let mut chat = stage.chat().await;
    stage.press("/play/late").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("A storm lantern") && said.contains("today, 17:00 to 19:00"), "{said}");
    chat.choose(&id, "A pick-up point").await;
    chat.hears().await;
    let asked = choose_and_confirm(&mut chat, &id, "Bakery Noor").await;
    assert!(asked.ends_with("to the pick-up point: Bakery Noor"), "{asked}");
    assert!(chat.hears().await.starts_with("Agreed."));
    stage.goal(&id).await;
    assert!(stage.page("/").await.contains("Bakery Noor"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parcel_that_nobody_has_scanned_since_this_morning_comes_at_another_time() {
    let mut stage = Stage::of("logistics").await;
    let mut chat = stage.chat().await;
    stage.press("/play/silent").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("Two harbour chairs"), "{said}");
    chat.say(&id, "tomorrow would be better").await;
    chat.hears().await;
    let slot = offered(&chat, &id)[0].clone();
    choose_and_confirm(&mut chat, &id, &slot).await;
    assert!(chat.hears().await.ends_with(&format!("comes on {slot}.")));
    stage.goal(&id).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parcel_that_arrives_tomorrow_is_expected() {
    let mut stage = Stage::of("logistics").await;
    let mut chat = stage.chat().await;
    stage.press("/play/arrival").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("comes tomorrow, 10:00 to 12:00. Will somebody be there?"), "{said}");
    chat.choose(&id, "Yes").await;
    assert!(chat.hears().await.ends_with("as planned."));
    stage.goal(&id).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_to_its_area_with_news_and_its_end_and_the_time_it_took_is_measured() {
    let mut stage = Stage::of("telecom").await;
    let mut chat = stage.chat().await;
    stage.press("/play/cut").await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("so your line is down: a cable is cut"), "{said}");
    stage.shows("/", ">down<").await;
    // The visitor, and the forty-five households that never look.
    stage.was_told(46).await;

    chat.choose(&id, "Open a ticket").await;
    assert!(chat.hears().await.starts_with("Your ticket is T-"));
    stage.shows("/", ">open<").await;
    chat.say(&id, "what do I get for this? I want a credit").await;
    let confirm = chat.entry("confirm").await;
    assert_eq!(confirm["summary"], "Credit my next bill for this outage");
    chat.confirm(&id, &confirm["call_id"], true).await;
    assert_eq!(chat.hears().await, "4.00 EUR stand on your next bill as a credit.");
    chat.choose(&id, "Call me back").await;
    chat.hears().await;
    let time = offered(&chat, &id)[0].clone();
    let asked = choose_and_confirm(&mut chat, &id, &time).await;
    assert_eq!(asked, format!("Call me on {time}"));
    assert!(chat.hears().await.contains(&time));
    stage.shows("/", &time).await;

    stage.press("/play/news").await;
    let news = chat.hears().await;
    assert_eq!(news, "News of the outage: A digger cut a cable, and a crew is at it. The next update comes at noon.");
    chat.say(&id, "when is it back?").await;
    assert!(chat.hears().await.contains("The next update comes at noon"));
    stage.press("/play/solve").await;
    assert!(chat.hears().await.starts_with("Your line works again."));
    let done = stage.goal(&id).await;
    let minutes = done["outcome"]["value"].as_i64().unwrap();
    assert!((1..=3).contains(&minutes), "two minutes, less a second, and what this test took: {done}");
    stage.shows("/", ">solved<").await;
    assert!(!chat.story().contains("For staff only"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_flaps_reaches_nobody_though_the_next_one_does() {
    let mut stage = Stage::of("telecom").await;
    let mut chat = stage.chat().await;
    stage.press("/play/flap").await;
    // Had the first been told, then before the second: its hold would have been over earlier.
    stage.press("/play/cut").await;
    let (id, _) = opening(&mut chat).await;
    stage.press("/play/solve").await;
    assert!(chat.hears().await.starts_with("Your line works again."));
    assert_eq!(stage.conversations(&id).await, [id]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_that_was_left_is_paid_in_the_chat() {
    let mut stage = Stage::of("shop").await;
    stage.press("/play/cart").await;
    let mut chat = stage.chat().await;
    let (id, said) = opening(&mut chat).await;
    assert!(said.contains("Storm lantern, 89.5 EUR"), "{said}");
    chat.choose(&id, "Pay it now").await;
    let told = chat.hears().await;
    assert!(told.contains("comes to 89.5 EUR"), "{told}");
    let asked = choose_and_confirm(&mut chat, &id, "visa-4242").await;
    assert!(asked.starts_with("Charge Visa ending 4242 for order NW-"), "{asked}");
    assert!(chat.hears().await.contains("is paid"));
    assert_eq!(stage.goal(&id).await["outcome"]["value"], 89.5);
    assert_eq!(stage.api("/cart").await["items"], 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looked_at_three_things_finds_one_and_has_it_in_the_cart() {
    let mut stage = Stage::of("shop").await;
    stage.press("/play/looks").await;
    let mut chat = stage.chat().await;
    let (id, _) = opening(&mut chat).await;
    chat.say(&id, "something for the kitchen").await;
    chat.hears().await;
    let asked = choose_and_confirm(&mut chat, &id, "harbour-kettle").await;
    assert_eq!(asked, "Put this into your cart: Harbour kettle");
    assert!(chat.hears().await.contains("comes to 64.0 EUR"));
    assert_eq!(stage.goal(&id).await["outcome"]["value"], 64.0);
    assert_eq!(stage.api("/cart").await["words"], "Harbour kettle");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wished_for_what_was_sold_out_hears_that_it_is_back_and_has_it_in_the_cart() {
    let mut stage = Stage::of("shop").await;
    let mut chat = stage.chat().await;
    let compass = "/products/brass-compass";
    assert!(stage.page(compass).await.contains("sold out"));
    assert_eq!(stage.write("/cart/lines", "k-1", json!({ "product": "brass-compass" })).await.0, 409);
    stage.press("/wishes/brass-compass/add").await;
    assert!(stage.page(compass).await.contains("on your wish list"));
    stage.press("/play/stock").await;
    let (id, said) = opening(&mut chat).await;
    assert_eq!(said, "Brass compass is back, for 46.0 EUR. Shall I put one into your cart?");
    let asked = choose_and_confirm(&mut chat, &id, "Put it into my cart").await;
    assert_eq!(asked, "Put this into your cart: Brass compass");
    assert!(chat.hears().await.contains("comes to 46.0 EUR"));
    assert_eq!(stage.goal(&id).await["outcome"]["value"], 46.0);
    assert_eq!(stage.api("/cart").await["words"], "Brass compass");
    // The last one goes: who was told of the one hears of the other.
    stage.press("/play/stock").await;
    assert!(chat.hears().await.starts_with("Brass compass is sold out again."));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_says_by_its_adapter_for_which_example_it_is() {
    let root = env!("CARGO_MANIFEST_DIR");
    let stage = Stage::of(&format!("{root}/examples/logistics/workspace")).await;
    assert!(stage.page("/").await.contains("Gannet"));
    stage.close().await;
}

#[test]
fn every_file_of_an_example_is_in_the_binary_but_its_scenarios() {
    for example in beckon::cli::demo::EXAMPLES {
        let root =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example.name).join("workspace");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let inside = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() && inside != "tests" {
                    folders.push(path);
                } else if path.is_file() {
                    found.push(inside);
                }
            }
        }
        found.sort();
        let mut known: Vec<_> = example.workspace.iter().map(|(path, _)| (*path).to_owned()).collect();
        known.sort();
        assert_eq!(known, found, "{}", example.name);
    }
}
