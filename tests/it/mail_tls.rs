//! Mail over TLS with a real server: with the certificate of a ministry's own authority it goes, with any other
//! nothing is sent, least of all the password.

use std::path::Path;
use std::sync::Arc;

use chancery::config::{self, Config};
use chancery::outbound::mail::{Letter, Mailer, SetupError, Unsent};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::receiver::{Guarded, Post, Temper};

const PASSWORD: &str = "not-for-anybody-else";

/// An authority that signs certificates, and a file with its own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Whoever has this certificate is who bears this name.
    fn vouches_for(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let ring = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn settings(security: &str, port: &str, trusted: Option<&Path>) -> config::Mail {
    let trusted = trusted.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
    let given = [
        ("HOST", "127.0.0.1"),
        ("PORT", port),
        ("SECURITY", security),
        ("FROM", "Chancery <desk@mofa.example>"),
        ("USERNAME", "desk"),
        ("PASSWORD", PASSWORD),
        ("CA_FILE", trusted.as_str()),
    ];
    let given = given.map(|(name, value)| (format!("CHANCERY_MAIL__{name}"), value.to_owned()));
    Config::load(None, given.into_iter()).unwrap().mail
}

fn letter() -> Letter {
    Letter {
        name: "An Nguyễn".to_owned(),
        email: "an@mofa.example".to_owned(),
        id: "mail_1".to_owned(),
        subject: "Không đăng được".to_owned(),
        body: "Xin chào".to_owned(),
    }
}

/// Sends one mail to a server that is guarded so, with these settings for it.
async fn sent(
    guarded: Guarded,
    security: &str,
    trusted: Option<&Path>,
) -> (Result<(), Unsent>, Post) {
    let post = Post::guarded(Temper::Well, guarded).await;
    let mailer = Mailer::configured(&settings(security, &post.port(), trusted)).unwrap().unwrap();
    (mailer.send(&letter()).await, post)
}

fn keeps_the_password(post: &Post, done: &Result<(), Unsent>, what: &str) {
    assert!(matches!(done, Err(Unsent::Later(_))), "{what}: {done:?}");
    assert_eq!(post.signed_in(), [], "{what}");
    assert_eq!(post.mails().len(), 0, "{what}");
    let lines = post.lines();
    let said = |word: &str| lines.iter().any(|it| it.to_uppercase().starts_with(word));
    assert!(!said("AUTH") && !said("MAIL"), "{what}: {lines:?}");
}

fn kept(folder: &TempDir, name: &str, pem: &str) -> std::path::PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, pem).unwrap();
    file
}

type Way = (&'static str, fn(TlsAcceptor) -> Guarded);
const WAYS: [Way; 2] = [("tls", Guarded::Wrapped), ("starttls", Guarded::OnDemand)];

#[tokio::test]
async fn mail_goes_to_a_server_that_the_own_authority_vouches_for() {
    let folder = TempDir::new().unwrap();
    let (own, other) = (Authority::new(), Authority::new());
    // Beside another in one file.
    let file = kept(&folder, "ca.pem", &format!("{}{}", other.pem, own.pem));
    for (security, guard) in WAYS {
        let (done, post) = sent(guard(own.vouches_for("127.0.0.1")), security, Some(&file)).await;
        done.unwrap_or_else(|error| panic!("{security}: {error:?}"));
        assert_eq!(post.signed_in(), [("desk".to_owned(), PASSWORD.to_owned())], "{security}");
        let mails = post.mails();
        assert_eq!((mails.len(), mails[0].to.as_str()), (1, "an@mofa.example"), "{security}");
        assert_eq!(mails[0].body().trim_end(), "Xin chào");
    }
}

#[tokio::test]
async fn any_other_server_gets_neither_mail_nor_password() {
    let folder = TempDir::new().unwrap();
    let (own, other) = (Authority::new(), Authority::new());
    let file = kept(&folder, "ca.pem", &own.pem);
    for (security, guard) in WAYS {
        for (what, tls, trusted) in [
            ("another authority", other.vouches_for("127.0.0.1"), Some(file.as_path())),
            ("another name", own.vouches_for("mail.mofa.example"), Some(file.as_path())),
            ("no file", own.vouches_for("127.0.0.1"), None),
        ] {
            let (done, post) = sent(guard(tls), security, trusted).await;
            keeps_the_password(&post, &done, &format!("{security}, {what}"));
            assert!(post.visits() > 0, "it was not even asked");
        }
    }
    // One that does not offer STARTTLS at all, or had it taken out of its answer on the way; it would
    // take the password.
    let (done, post) = sent(Guarded::Careless, "starttls", Some(&file)).await;
    keeps_the_password(&post, &done, "no STARTTLS");
}

#[tokio::test]
async fn a_file_without_a_certificate_is_a_fault() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.pem");
    let fault = Mailer::configured(&settings("tls", "465", Some(&missing))).unwrap_err();
    assert!(matches!(fault, SetupError::CaFile(..)), "{fault:?}");
    let empty = kept(&folder, "empty.pem", "no certificate\n");
    let fault = Mailer::configured(&settings("tls", "465", Some(&empty))).unwrap_err();
    assert!(matches!(fault, SetupError::NoCertificate(_)), "{fault:?}");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = kept(&folder, "broken.pem", broken);
    assert!(Mailer::configured(&settings("tls", "465", Some(&broken))).is_err());
}
