//! The only way mail leaves: one SMTP server, rustls with ring, plain text.
//!
//! The server is the operator's own choice and may lie in a private network. A header cannot be
//! smuggled in: the library encodes what it is given, and nothing here writes headers by hand.

use std::fmt;
use std::path::PathBuf;

use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config;

/// How a certificate in PEM begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

type Way = AsyncSmtpTransport<Tokio1Executor>;

/// The way to the mail server. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Mailer {
    transport: Way,
    from: Mailbox,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom it calls its reader.
    pub name: String,
    /// Where it goes.
    pub email: String,
    /// The same for the same mail, so that a mail that was sent twice is shown once.
    pub id: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// Trying again does not help: the address or the mail is refused.
    #[error("the mail is refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Trying again may help.
    #[error("the mail server does not take it now")]
    Later(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why there is no way to the mail server.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The sender is no address.
    #[error("mail.from is no address such as Chancery <desk@mofa.example>")]
    From(#[source] lettre::address::AddressError),
    /// The file of certificates cannot be read.
    #[error("mail.ca_file cannot be read: {}", .0.display())]
    CaFile(PathBuf, #[source] std::io::Error),
    /// There is no certificate in it.
    #[error("mail.ca_file has no certificate in PEM: {}", .0.display())]
    NoCertificate(PathBuf),
    /// TLS cannot be set up.
    #[error("TLS for mail cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from.email).finish_non_exhaustive()
    }
}

impl Mailer {
    /// The way as configured; none when there is no mail server.
    pub fn configured(settings: &config::Mail) -> Result<Option<Self>, SetupError> {
        let (Some(host), Some(from)) = (&settings.host, &settings.from) else { return Ok(None) };
        let from = from.parse().map_err(SetupError::From)?;
        // Without a valid certificate for this name there is no connection, so neither a password.
        let tls = match settings.security {
            config::MailSecurity::StartTls => Tls::Required(tls(host, settings)?),
            config::MailSecurity::Tls => Tls::Wrapper(tls(host, settings)?),
            config::MailSecurity::None => Tls::None,
        };
        let builder = Way::builder_dangerous(host.as_str()).tls(tls);
        let mut builder = builder.port(settings.port).timeout(Some(settings.timeout));
        if let (Some(user), Some(password)) = (&settings.username, &settings.password) {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Some(Self { transport: builder.build(), from }))
    }

    /// Sends one mail once.
    pub async fn send(&self, letter: &Letter) -> Result<(), Unsent> {
        let mail = self.compose(letter).map_err(Unsent::Refused)?;
        match self.transport.send(mail).await {
            Ok(_taken) => Ok(()),
            Err(error) if error.is_permanent() => Err(Unsent::Refused(error.into())),
            Err(error) => Err(Unsent::Later(error.into())),
        }
    }

    fn compose(
        &self,
        letter: &Letter,
    ) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let to = Mailbox::new(Some(one_line(&letter.name)), letter.email.parse()?);
        let host = self.from.email.domain();
        Ok(Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(format!("<{}@{host}>", letter.id)))
            .subject(one_line(&letter.subject))
            .header(header::ContentType::TEXT_PLAIN)
            .body(letter.body.clone())?)
    }
}

/// Trusts the system's authorities and those of the operator.
fn tls(host: &str, settings: &config::Mail) -> Result<TlsParameters, SetupError> {
    let mut trusts = TlsParameters::builder(host.to_owned());
    if let Some(file) = &settings.ca_file {
        let pem = std::fs::read(file).map_err(|error| SetupError::CaFile(file.clone(), error))?;
        // The library takes a file without any for one without a fault.
        if !pem.windows(BEGIN.len()).any(|it| it == BEGIN) {
            return Err(SetupError::NoCertificate(file.clone()));
        }
        trusts = trusts.add_root_certificate(Certificate::from_pem(&pem).map_err(SetupError::Tls)?);
    }
    trusts.build().map_err(SetupError::Tls)
}

/// A line of a head: whatever would end it becomes a space.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> config::Mail {
        let given = [
            ("CHANCERY_MAIL__HOST", "127.0.0.1"),
            ("CHANCERY_MAIL__SECURITY", "none"),
            ("CHANCERY_MAIL__FROM", "Chancery <desk@mofa.example>"),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        config::Config::load(None, given.into_iter()).unwrap().mail
    }

    #[tokio::test]
    async fn nothing_in_a_name_or_subject_becomes_a_header() {
        let mailer = Mailer::configured(&settings()).unwrap().unwrap();
        let letter = Letter {
            name: "An\r\nBcc: all@example.org".to_owned(),
            email: "an@mofa.example".to_owned(),
            id: "mail_1".to_owned(),
            subject: "Quốc khánh\r\nBcc: all@example.org".to_owned(),
            body: "Xin chào\r\n.\r\nMAIL FROM".to_owned(),
        };
        let text = String::from_utf8(mailer.compose(&letter).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("Message-ID: <mail_1@mofa.example>"), "{head}");
    }

    #[tokio::test]
    async fn without_a_server_there_is_no_mail() {
        let none = config::Mail { host: None, ..settings() };
        assert!(Mailer::configured(&none).unwrap().is_none());
        let wrong = config::Mail { from: Some("nobody".to_owned()), ..settings() };
        assert!(Mailer::configured(&wrong).is_err());
    }
}
