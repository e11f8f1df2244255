//! ldk-node's log lines, as `tracing` events of target `ldk`.
//!
//! Not all of them: no message body and no secret may reach a log at any level. Read in lightning 0.2.7:
//!
//! - at trace, `ln::channelmanager` prints whole events ("Handling event {:?}"), with the custom TLV records of a
//!   payment; `ln::peer_handler` whole peer messages, with preimages and revocation secrets; `ln::channel` a
//!   per-commitment secret; `chain::channelmonitor` events with preimages;
//! - at error, `ln::channelmanager` prints monitor updates ("Pending in-flight updates"), with the records of a payment
//!   that is being claimed;
//! - at info, `ln::outbound_payment` prints session keys, with which an onion can be opened;
//! - at every level, lines such as "Claiming inbound HTLC ... with preimage ..." print preimages.
//!
//! And ldk-node 0.7.1 prints each invoice that it makes, with its payment secret and description.
//!
//! So nothing below debug passes from the crate `lightning` but from its routing, and the named lines not at all.

use ldk_node::logger::{LogLevel, LogRecord, LogWriter};

/// Lines that are kept back at every level: the module, and what of the line is always the same.
const KEPT_BACK: &[(&str, &str)] = &[
    ("lightning::ln::channelmanager", "in-flight updates"),
    ("lightning::ln::outbound_payment", "session priv"),
    ("ldk_node::payment", "nvoice created"),
];

/// Takes ldk-node's log lines.
#[derive(Debug)]
pub(crate) struct Bridge;

impl LogWriter for Bridge {
    fn log<'a>(&self, record: LogRecord<'a>) {
        let (level, module, line) = (record.level, record.module_path, record.line);
        if is_too_detailed(level, module) {
            return;
        }
        // Each level is a place of its own for `tracing`, so that a line of a level that is off is never formatted.
        macro_rules! pass_on {
            ($level:ident) => {
                if tracing::enabled!(target: "ldk", tracing::Level::$level) {
                    let text = record.args.to_string();
                    if !is_kept_back(module, &text) {
                        tracing::event!(target: "ldk", tracing::Level::$level, module, line, "{text}");
                    }
                }
            };
        }
        match level {
            LogLevel::Gossip | LogLevel::Trace => pass_on!(TRACE),
            LogLevel::Debug => pass_on!(DEBUG),
            LogLevel::Info => pass_on!(INFO),
            LogLevel::Warn => pass_on!(WARN),
            LogLevel::Error => pass_on!(ERROR),
        }
    }
}

fn is_too_detailed(level: LogLevel, module: &str) -> bool {
    let is_below_debug = matches!(level, LogLevel::Gossip | LogLevel::Trace);
    is_below_debug && module.starts_with("lightning::") && !module.starts_with("lightning::routing")
}

fn is_kept_back(module: &str, text: &str) -> bool {
    KEPT_BACK.iter().any(|(of, part)| module.starts_with(of) && text.contains(part)) || has_preimage(text)
}

/// Whether the word is followed by 32 bytes in hex.
fn has_preimage(text: &str) -> bool {
    let is_hex = |rest: &str| rest.get(..64).is_some_and(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
    text.split("preimage ").skip(1).any(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    /// Keeps what is logged, of every level.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            struct Text(String);
            impl Visit for Text {
                fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                    if field.name() == "message" {
                        self.0 = format!("{value:?}");
                    }
                }
            }
            let mut text = Text(event.metadata().level().to_string());
            event.record(&mut text);
            self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), text.0));
        }
    }

    fn logged(level: LogLevel, module: &str, text: &str) -> Vec<String> {
        let kept = Kept::default();
        tracing::subscriber::with_default(kept.clone(), || {
            Bridge.log(LogRecord { level, args: format_args!("{text}"), module_path: module, line: 1 });
        });
        kept.0.lock().unwrap().clone()
    }

    #[test]
    fn each_level_keeps_its_name() {
        for (level, name) in [
            (LogLevel::Gossip, "TRACE"),
            (LogLevel::Trace, "TRACE"),
            (LogLevel::Debug, "DEBUG"),
            (LogLevel::Info, "INFO"),
            (LogLevel::Warn, "WARN"),
            (LogLevel::Error, "ERROR"),
        ] {
            assert_eq!(logged(level, "ldk_node::event", "x"), [format!("{name} x")]);
        }
    }

    #[test]
    fn lines_that_can_hold_records_or_secrets_never_pass() {
        for (level, module, text) in [
            (LogLevel::Trace, "lightning::ln::channelmanager", "Handling event PaymentClaimable { .. }..."),
            (LogLevel::Trace, "lightning::ln::peer_handler", "Received message RevokeAndACK { .. } from 02.."),
            (LogLevel::Gossip, "lightning::ln::peer_handler", "Received message ChannelUpdate { .. } from 02.."),
            (LogLevel::Trace, "lightning::chain::channelmonitor", "Handling event BumpTransaction(..)..."),
            (LogLevel::Error, "lightning::ln::channelmanager", " Pending in-flight updates are: [..]"),
            (LogLevel::Info, "lightning::ln::outbound_payment", "Added a pending payment .. with session priv 00"),
            (LogLevel::Debug, "lightning::ln::channel", &format!("Claiming HTLC with preimage {}", "0a".repeat(32))),
        ] {
            assert_eq!(logged(level, module, text), Vec::<String>::new(), "{module} {text}");
        }
        assert_eq!(logged(LogLevel::Trace, "lightning::routing::router", "a path"), ["TRACE a path"]);
        assert_eq!(logged(LogLevel::Info, "lightning::ln::outbound_payment", "Payment sent!"), ["INFO Payment sent!"]);
    }
}
