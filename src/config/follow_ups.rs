//! What follows from what happened: notifications, webhooks, mail, and when lateness is told of.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::LEAST;
use super::read::Read;

/// Notifications, and what they share with webhooks and mail.
#[derive(Debug, Clone)]
pub struct Notify {
    /// How often it is looked at what has happened.
    pub poll_interval: Duration,
    /// How long messages, notifications and logs of tries are kept.
    pub keep: Duration,
    /// How late the oldest due delivery may be before people are told.
    pub late_after: Duration,
    /// How often that is looked at.
    pub watch_interval: Duration,
    /// How long a delivery may be on its way or in doubt before people are told.
    pub stuck_after: Duration,
    /// When people are reminded of what waits for them.
    pub remind_after: Vec<Duration>,
    /// How often they are after that.
    pub remind_every: Duration,
    /// How long before its end people are told that a hold ends.
    pub hold_ending: Duration,
}

/// Webhooks going out.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// Requests at once on this node, about.
    pub workers: usize,
    /// Total deadline of one request.
    pub timeout: Duration,
    /// Wait after the first failure; doubled each time.
    pub backoff: Duration,
    /// Longest wait between two tries.
    pub backoff_max: Duration,
    /// How long one message is tried.
    pub give_up_after: Duration,
    /// How long nothing may succeed before a webhook is switched off.
    pub disable_after: Duration,
    /// How long a replaced secret goes on signing.
    pub rotation_overlap: Duration,
}

/// Mail going out.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The SMTP server; none for no mail.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// Certificates in PEM of those whom to trust besides the system's own authorities.
    pub ca_file: Option<PathBuf>,
    /// With whom to sign in, if at all.
    pub username: Option<String>,
    /// The password for it.
    pub password: Option<SecretString>,
    /// The sender's address.
    pub from: Option<String>,
    /// Total deadline of one mail.
    pub timeout: Duration,
    /// At most one mail to a person of a kind in this time; the rest is collected.
    pub spacing: Duration,
    /// Wait after the first failure; doubled each time.
    pub backoff: Duration,
    /// Longest wait between two tries.
    pub backoff_max: Duration,
    /// How long one message is tried.
    pub give_up_after: Duration,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS after `STARTTLS`, which must be there.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None; only for a server on this machine.
    None,
}

pub(super) fn read_notify(read: &Read<'_>) -> Notify {
    Notify {
        poll_interval: read.duration("notify.poll_interval", LEAST),
        keep: read.duration("notify.keep", LEAST),
        late_after: read.duration("notify.late_after", LEAST),
        watch_interval: read.duration("notify.watch_interval", LEAST),
        stuck_after: read.duration("notify.stuck_after", LEAST),
        remind_after: read.durations("notify.remind_after"),
        remind_every: read.duration("notify.remind_every", LEAST),
        hold_ending: read.duration("notify.hold_ending", Duration::ZERO),
    }
}

pub(super) fn read_webhooks(read: &Read<'_>) -> Webhooks {
    Webhooks {
        workers: read.number("webhooks.workers", 1..=256),
        timeout: read.duration("webhooks.timeout", LEAST),
        backoff: read.duration("webhooks.backoff", LEAST),
        backoff_max: read.duration("webhooks.backoff_max", LEAST),
        give_up_after: read.duration("webhooks.give_up_after", LEAST),
        disable_after: read.duration("webhooks.disable_after", LEAST),
        rotation_overlap: read.duration("webhooks.rotation_overlap", Duration::ZERO),
    }
}

pub(super) fn read_mail(read: &Read<'_>) -> Mail {
    let security = match read.text("mail.security").as_str() {
        "starttls" => MailSecurity::StartTls,
        "tls" => MailSecurity::Tls,
        "none" => MailSecurity::None,
        _ => {
            read.fault("mail.security", "must be starttls, tls or none");
            MailSecurity::StartTls
        }
    };
    let mail = Mail {
        host: read.optional("mail.host"),
        port: read.number("mail.port", 1..=65_535),
        security,
        ca_file: read.optional("mail.ca_file").map(PathBuf::from),
        username: read.optional("mail.username"),
        password: read.secret("mail.password"),
        from: read.optional("mail.from"),
        timeout: read.duration("mail.timeout", LEAST),
        spacing: read.duration("mail.spacing", Duration::ZERO),
        backoff: read.duration("mail.backoff", LEAST),
        backoff_max: read.duration("mail.backoff_max", LEAST),
        give_up_after: read.duration("mail.give_up_after", LEAST),
    };
    check(&mail, read);
    mail
}

fn check(mail: &Mail, read: &Read<'_>) {
    let Some(host) = &mail.host else { return };
    if mail.from.is_none() {
        read.fault("mail.from", "must be the sender's address when mail.host is set");
    }
    let here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
    if mail.security == MailSecurity::None && !here {
        read.fault("mail.security", "may be none only for a server on this machine");
    }
    if mail.security == MailSecurity::None && mail.ca_file.is_some() {
        read.fault("mail.ca_file", "has no use where mail.security is none");
    }
    if mail.username.is_some() != mail.password.is_some() {
        read.fault("mail.username", "must be set together with mail.password, or neither");
    }
}
