//! The report as text for people.

use std::fmt::{self, Display, Formatter};

use crate::report::{EndedBy, FirstVoice, Generator, Limit, Load, Report, ServerCost};
use crate::scenario::Scenario;
use crate::tally::Spread;

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { joined, failed, reconnected, .. } = self;
        writeln!(out, "joined     {joined} ({failed} failed, {reconnected} came back)")?;
        spread(out, "  answer after the offer", &self.join.answered)?;
        spread(out, "  connected after the offer", &self.join.connected)?;
        spread(out, "  hears a voice after the offer", &self.join.first_heard)?;
        if let Some(load) = &self.load {
            write!(out, "{}{load}", self.scenario)?;
        }
        if let Some(first) = &self.first_voice {
            let FirstVoice { onliners, joiners, unheard, clipped, .. } = first;
            writeln!(out, "first voice of {joiners} joiners, {onliners} onliners in the call")?;
            spread(out, "  heard after the offer", &first.after_offer)?;
            writeln!(out, "  never heard {unheard}, first packet lost {clipped}")?;
        }
        if let Some(limit) = &self.limit {
            write!(out, "{limit}")?;
        }
        for complaint in &self.complaints {
            writeln!(out, "! {complaint}")?;
        }
        Ok(())
    }
}

impl Display for Scenario {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, onliners, talking, calls, seconds, frame_ms, .. } = self;
        let manner = if self.talk_spurts { "in turns" } else { "without a pause" };
        writeln!(
            out,
            "load       {name}: {calls} x {onliners} onliners, {talking} of them talking {manner}, \
             {frame_ms} ms a packet, {seconds} s"
        )?;
        let rates = [
            (self.churn_per_second, "leave and return a second"),
            (self.mutes_per_second, "mute a second"),
            (self.reconnects_per_second, "reconnect a second"),
            (self.loss_percent, "% of datagrams lost each way"),
            (self.jitter_ms, "ms jitter each way"),
        ];
        let told = rates.iter().filter(|(rate, _)| *rate > 0.0);
        let mut told: Vec<String> = told.map(|(rate, what)| format!("{rate} {what}")).collect();
        if self.record {
            told.push("recorded".to_owned());
        }
        if told.is_empty() { Ok(()) } else { writeln!(out, "           {}", told.join(", ")) }
    }
}

impl Display for Load {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let voices = &self.voices;
        writeln!(
            out,
            "frames     {} sent, {} heard of {} in {} packets, {} lost ({:.3} %)",
            voices.sent,
            voices.heard,
            voices.expected,
            voices.packets,
            voices.lost,
            voices.lost_percent
        )?;
        writeln!(
            out,
            "           {} duplicate, {} corrupted, {} refused, {} echoed, {} lost on purpose",
            voices.duplicates, voices.corrupted, voices.refused, voices.echoed, voices.injected
        )?;
        if let Some(gaps) = &self.gaps {
            let (count, longest_ms) = (gaps.count, gaps.longest_ms);
            writeln!(out, "gaps       {count} of two or more, the longest {longest_ms:.0} ms")?;
        }
        if let Some(light) = &self.light {
            writeln!(
                out,
                "light      {} legs decrypted {} of {} packets, {} numbers missing; \
                 {} frames heard of {}",
                light.legs,
                light.decrypted,
                light.packets,
                light.missing_numbers,
                light.heard,
                light.expected
            )?;
        }
        spread(out, "  added latency", &self.latency)?;
        if let Some(server) = &self.server {
            write!(out, "{server}")?;
        }
        write!(out, "{}", self.generator)
    }
}

impl Display for ServerCost {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "server     {:.2} us CPU a packet, {:.2} a frame, {:.0} a listener-second ({:.2} s)",
            self.us_per_packet, self.us_per_frame, self.us_per_listener_second, self.cpu_seconds
        )?;
        let threads = self.threads_ms.iter().filter(|(_, spent)| **spent >= 1.0);
        let threads: Vec<String> =
            threads.map(|(name, spent)| format!("{name} {spent:.0} ms")).collect();
        writeln!(
            out,
            "threads    {}; the busiest {:.0} %",
            threads.join(", "),
            self.busiest_thread_percent
        )?;
        writeln!(
            out,
            "memory     {} KiB idle, {} with sockets, {} in the call",
            self.idle_kib, self.connected_kib, self.steady_kib
        )?;
        writeln!(
            out,
            "           {:.1} KiB a socket, {:.1} a leg, {:.1} an onliner",
            self.kib_per_socket, self.kib_per_leg, self.kib_per_onliner
        )
    }
}

impl Display for Generator {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { media_thread_percent, process_percent, legs_per_core, unsent, .. } = self;
        writeln!(
            out,
            "generator  media thread {media_thread_percent:.0} % busy, \
             process {process_percent:.0} %: {legs_per_core:.0} legs a core"
        )?;
        let late_ms = self.late_p99_ms;
        writeln!(
            out,
            "           {unsent} frames not sent in time, packets late by p99 {late_ms:.2} ms"
        )?;
        if self.is_bottleneck {
            writeln!(out, "! the generator is the bottleneck: its delays and losses are its own")?;
        }
        Ok(())
    }
}

impl Display for Limit {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "limit      onliners  p99 ms   lost %  server%  loader%  us/listener-s")?;
        let known =
            |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.0}"));
        for step in &self.steps {
            writeln!(
                out,
                "           {:8} {:7.2} {:8.3} {:>8} {:8.0} {:>14}  {}",
                step.onliners,
                step.p99_ms,
                step.lost_percent,
                known(step.server_busiest_thread_percent),
                step.generator_percent,
                known(step.us_per_listener_second),
                if step.is_within { "within" } else { "passed" }
            )?;
        }
        let why = match self.ended_by {
            EndedBy::Server => "the server's busiest thread was full",
            EndedBy::Generator => "this generator had too little CPU: the server may carry more",
            EndedBy::Neither => "neither the server's threads nor this generator were busy",
            EndedBy::Joining => "not everybody could join",
        };
        let (bound, good) = (&self.bound, self.last_good);
        writeln!(out, "           {good} onliners a call are within {bound}; then {why}")
    }
}

fn spread(out: &mut Formatter<'_>, what: &str, times: &Spread) -> fmt::Result {
    writeln!(
        out,
        "{what:31} p50 {:8.2}  p95 {:8.2}  p99 {:8.2}  max {:8.2} ms  (n = {})",
        times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms, times.count
    )
}
