use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::core::test_folder::TestFolder;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn now() -> u64 {
    u64::try_from(clock::wall().as_nanos() / 1_000_000_000).unwrap()
}

fn claims() -> Value {
    let text = include_str!("../../../tests/data/clients/claims.json");
    let mut claims: Value = serde_json::from_str(text).unwrap();
    claims["exp"] = (now() + 600).into();
    claims
}

#[test]
fn the_page_shows_the_claims_that_are_tried_here() {
    let page = include_str!("../../../docs/clients.md");
    assert!(page.contains(include_str!("../../../tests/data/clients/claims.json").trim_end()));
}

fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

fn tokens() -> Tokens {
    Tokens::new(Keys::read(&[SECRET.to_owned()], &[], "voxhall").unwrap())
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<Arc<Pass>, NoPass> {
    let mut claims = claims();
    change(&mut claims);
    tokens().pass(&signed(&claims, SECRET))
}

#[test]
fn a_token_says_who_one_is_where_one_may_call_and_until_when() {
    let tokens = tokens();
    let pass = tokens.pass(&signed(&claims(), SECRET)).unwrap();
    assert_eq!((pass.person.jid.as_str(), pass.person.display_name.as_str()), ("d-anna", "Anna"));
    assert_eq!((pass.team.uid.as_str(), pass.rights.mute_all), ("team-1", true));
    assert!(!pass.rights.record && !pass.rights.kick);
    let left = pass.until.unwrap() - Instant::now();
    assert!(left > Duration::from_secs(590) && left <= Duration::from_secs(600), "{left:?}");
    let named = |jid: &str| tokens.chat(&pass, jid).map(|chat| chat.key().is_direct());
    assert_eq!((named("g-tea"), named("d-boris")), (Ok(false), Ok(true)));
    for jid in ["g-other", "d-clara", "d-anna", "", "../x"] {
        assert_eq!(named(jid).unwrap_err().code, "no_such_chat", "{jid}");
    }
    assert_eq!(tokens.groups(&pass), [Jid::parse("g-tea").unwrap()]);
    assert_eq!(tokens.chats(&pass).len(), 2);
    let boris = Jid::parse("d-boris").unwrap();
    assert_eq!(tokens.name_of(&pass, &boris).as_deref(), Some("Boris"));
}

#[test]
fn whoever_may_call_anybody_calls_people_and_no_groups() {
    let pass = changed(|claims| claims["direct"] = true.into()).unwrap();
    assert!(tokens().chat(&pass, "d-clara").unwrap().key().is_direct());
    assert!(tokens().chat(&pass, "g-other").is_err());
    assert!(tokens().chat(&pass, "d-anna").is_err());
}

#[test]
fn a_token_of_somebody_else_or_of_another_time_or_place_is_refused() {
    let forged = signed(&claims(), "another secret, another secret!!!");
    let (head, rest) = forged.split_once('.').unwrap();
    for token in ["", "x", "a.b.c", head, rest, &forged] {
        assert_eq!(tokens().pass(token).unwrap_err(), NoPass::Unknown, "{token}");
    }
    assert_eq!(changed(|it| it["exp"] = now().into()).unwrap_err(), NoPass::RunOut);
    assert_eq!(changed(|it| it["exp"] = (now() - 60).into()).unwrap_err(), NoPass::RunOut);
    let is_claim = |pass: Result<Arc<Pass>, NoPass>| matches!(pass, Err(NoPass::Claim(_)));
    assert!(is_claim(changed(|it| it["aud"] = "mail".into())));
    assert!(is_claim(changed(|it| drop(it.as_object_mut().unwrap().remove("aud")))));
    assert!(is_claim(changed(|it| drop(it.as_object_mut().unwrap().remove("exp")))));
    assert!(is_claim(changed(|it| it["nbf"] = (now() + 60).into())));
    assert!(changed(|it| it["nbf"] = (now() + 2).into()).is_ok(), "clocks are never the same");
}

#[test]
fn a_token_whose_words_are_wrong_is_refused_by_the_name_of_the_claim() {
    let why = |change: &dyn Fn(&mut Value)| changed(|it| change(it)).unwrap_err().to_string();
    assert!(why(&|it| it["jid"] = "../x".into()).contains("jid"));
    assert!(why(&|it| it["team"] = "t".into()).contains("team"));
    assert!(why(&|it| it["rights"]["kick"] = 1.into()).contains("rights.kick"));
    assert!(why(&|it| it["chats"] = "all".into()).contains("chats"));
    assert!(why(&|it| it["chats"][0]["type"] = "room".into()).contains("chats.type"));
    assert!(why(&|it| it["chats"][1]["jid"] = "d-anna".into()).contains("oneself"));
}

#[test]
fn limits_of_a_token_hold_at_the_limit_and_not_one_beyond() {
    let chats = |count: usize| {
        changed(|it| {
            let chat = |number| json!({ "type": "group", "jid": format!("g-{number}") });
            it["chats"] = (0..count).map(chat).collect();
        })
    };
    assert!(matches!(chats(TOKEN_CHATS_MAX + 1), Err(NoPass::Claim(_))));
    // 256 chats are more than 8 KiB of text in base64: both limits hold, the nearer one first.
    let longest = (0..TOKEN_CHATS_MAX).rev().find(|count| chats(*count).is_ok()).unwrap();
    assert!(longest > 100, "{longest}");
    // A claim that we do not know is nobody's business, and fills a token to the byte.
    let of_bytes = |pad: usize| {
        let mut claims = claims();
        claims["pad"] = "x".repeat(pad).into();
        signed(&claims, SECRET)
    };
    let fits = (0..TOKEN_BYTES_MAX).rev().find(|pad| of_bytes(*pad).len() <= TOKEN_BYTES_MAX);
    let fits = fits.unwrap();
    assert!(of_bytes(fits).len() > TOKEN_BYTES_MAX - 4 && tokens().pass(&of_bytes(fits)).is_ok());
    assert!(matches!(tokens().pass(&of_bytes(fits + 1)), Err(NoPass::Claim(_))));
    let ahead = |more: u64| {
        changed(|it| it["exp"] = (now() + TOKEN_AHEAD_MAX.as_secs() + more).into()).is_ok()
    };
    assert!(ahead(0) && !ahead(2));
}

#[test]
fn each_of_several_keys_is_believed_and_a_public_key_is_no_secret() {
    let folder = TestFolder::new();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let (own, other) = (folder.path().join("own.pem"), folder.path().join("other.pem"));
    std::fs::write(&own, pair.public_key_pem()).unwrap();
    let stranger = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    std::fs::write(&other, stranger.public_key_pem()).unwrap();
    let secrets = ["x".repeat(32), SECRET.to_owned()];
    let keys = Keys::read(&secrets, &[other, own], "voxhall").unwrap();
    let tokens = Tokens::new(keys);
    assert!(tokens.pass(&signed(&claims(), SECRET)).is_ok());
    let key = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
    let token = encode(&Header::new(Algorithm::EdDSA), &claims(), &key).unwrap();
    assert!(tokens.pass(&token).is_ok());
    // The public key is known to everybody: nobody may sign with it.
    let confused = signed(&claims(), &pair.public_key_pem());
    assert_eq!(tokens.pass(&confused).unwrap_err(), NoPass::Unknown);
    tokens.renew(Keys::read(&[], &[], "voxhall").unwrap());
    assert_eq!(tokens.pass(&token).unwrap_err(), NoPass::Unknown);
    let nothing = Keys::read(&[], &[folder.path().join("none.pem")], "voxhall");
    assert!(matches!(nothing, Err(KeyFault::File { .. })));
}
