//! First voice: how soon somebody who joins a running call and talks at once is heard by another.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::bot::{Join, Order};
use crate::crowd::Crowd;
use crate::leg::Role;
use crate::notice::Notice;
use crate::report::FirstVoice;
use crate::scenario::Scenario;
use crate::tally::Times;

/// Seats `listeners` muted onliners in a call; then joiners come, talk and go, one at a time.
///
/// # Errors
/// When the server cannot be reached or goes away.
pub async fn run(
    scenario: &Scenario,
    crowd: &mut Crowd<'_>,
    listeners: usize,
) -> Result<FirstVoice> {
    let seated = crowd.invite(listeners).await?;
    let (_, first) = seated.first().context("first voice needs a listener")?;
    let chat = crowd.make_group(first, "First voice").await?;
    let sections = scenario.sections.max(SECTIONS);
    let joining = |is_talker| {
        let role = Role { is_talker, sections, light: None };
        Join { chat: chat.clone(), call: 0, role, is_recorder: false }
    };
    let joins = seated.iter().map(|(bot, _)| (*bot, joining(false))).collect();
    crowd.join(joins, scenario.pause()).await;

    let mut after_offer = Times::default();
    let (mut unheard, mut clipped) = (0, 0);
    for _ in 0..JOINERS {
        let invited = crowd.invite(1).await?;
        let (bot, _) = invited.first().context("one was invited")?;
        crowd.listen(QUIET).await;
        crowd.order(*bot, Order::Join(joining(true))).await;
        match first_heard(crowd, *bot).await {
            Some((after, seq)) => {
                after_offer.note(after);
                clipped += u64::from(seq > 0);
            }
            None => unheard += 1,
        }
        crowd.dismiss(*bot).await;
        crowd.listen(QUIET).await;
    }
    let after_offer = after_offer.spread();
    Ok(FirstVoice { onliners: listeners, joiners: JOINERS, after_offer, unheard, clipped })
}

async fn first_heard(crowd: &mut Crowd<'_>, joiner: u32) -> Option<(Duration, u32)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match crowd.notice(deadline).await? {
            Notice::FirstVoice { bot, after, seq } if bot == joiner => return Some((after, seq)),
            Notice::Failed { bot, .. } if bot == joiner => return None,
            _ => {}
        }
    }
}

/// Joiners measured.
const JOINERS: u64 = 50;

/// Sections everybody offers: the joiner's voice, and room for one who has just left.
const SECTIONS: usize = 4;

/// Between a joiner's login, his join and the next one, for the server's news of them to pass.
const QUIET: Duration = Duration::from_millis(100);

/// A joiner not heard within this is not heard.
const PATIENCE: Duration = Duration::from_secs(5);
