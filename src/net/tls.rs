//! Certificates: from files or self-made, shown by fingerprint, swapped while running; and whom we
//! trust as a client.
use super::{TlsAcceptor, TlsConnector};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use ring::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// Where systems keep their bundle of trusted certificates, the common ones first.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The certificate in use, which [`Tls::replace`] swaps for new handshakes.
struct Identity(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.0
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

/// The server's side of TLS.
#[derive(Clone)]
pub struct Tls {
    identity: Arc<Identity>,
    mail: TlsAcceptor,
    http: TlsAcceptor,
}

impl Tls {
    /// TLS 1.2 and 1.3 with this certificate.
    ///
    /// # Errors
    /// A sentence; only when the crypto provider cannot work here.
    pub fn new(certified: CertifiedKey) -> Result<Tls, String> {
        let identity = Arc::new(Identity(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(identity.clone());
        // Resumption by tickets: the client keeps the state, not we. One ticket is enough.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|e| e.to_string())?;
        config.send_tls13_tickets = 1;
        let mut http = config.clone();
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            identity,
            mail: TlsAcceptor::from(Arc::new(config)),
            http: TlsAcceptor::from(Arc::new(http)),
        })
    }

    /// For SMTP, IMAP and POP3.
    pub fn mail(&self) -> &TlsAcceptor {
        &self.mail
    }

    /// For HTTPS (ALPN `http/1.1`).
    pub fn http(&self) -> &TlsAcceptor {
        &self.http
    }

    /// New handshakes get this certificate; sessions under the old one go on.
    pub fn replace(&self, certified: CertifiedKey) {
        *self
            .identity
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }

    /// SHA-256 of the certificate, as clients show it: `AB:CD:...`.
    pub fn fingerprint(&self) -> String {
        let certified = self
            .identity
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        certified
            .cert
            .first()
            .map(|cert| fingerprint(cert))
            .unwrap_or_default()
    }
}

/// The one crypto provider.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads a certificate chain and its key from PEM files.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub fn load(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(|certs| certs.collect::<Result<Vec<_>, _>>())
        .map_err(|e| {
            format!(
                "cannot read the certificate {}: {}",
                cert.display(),
                pem_error(&e)
            )
        })?;
    if chain.is_empty() {
        return Err(format!(
            "{} holds no certificate in PEM form",
            cert.display()
        ));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| format!("cannot read the key {}: {}", key.display(), pem_error(&e)))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            format!(
                "the key {} does not belong to the certificate {}",
                key.display(),
                cert.display()
            )
        }
        e => format!(
            "{} and {} cannot be used: {e}",
            cert.display(),
            key.display()
        ),
    })
}

fn pem_error(e: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match e {
        Error::Io(e) => e.to_string(),
        Error::NoItemsFound => "there is none in PEM form in it".into(),
        e => e.to_string(),
    }
}

/// A certificate and key in DER, as the store keeps the self-made one.
pub struct SelfSigned {
    /// X.509.
    pub cert: Vec<u8>,
    /// PKCS #8.
    pub key: Vec<u8>,
}

/// Makes a key (P-256) and a certificate for these host names and addresses. It is valid from 1970
/// to the end of 2049: routers start with the clock at 1970, and who checks a self-signed
/// certificate checks its fingerprint.
///
/// # Errors
/// A sentence, naming what cannot be in a certificate.
pub fn self_signed(names: &[String]) -> Result<SelfSigned, String> {
    let wrong =
        |e: rcgen::Error| format!("cannot make a certificate for {}: {e}", names.join(", "));
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if let Some(name) = names.first() {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
    }
    let key = KeyPair::generate().map_err(wrong)?;
    let cert = params.self_signed(&key).map_err(wrong)?;
    Ok(SelfSigned {
        cert: cert.der().to_vec(),
        key: key.serialize_der(),
    })
}

impl SelfSigned {
    /// Ready for use.
    ///
    /// # Errors
    /// A sentence, when the stored octets are damaged.
    pub fn certified(self) -> Result<CertifiedKey, String> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key));
        CertifiedKey::from_der(vec![self.cert.into()], key, &provider())
            .map_err(|e| format!("the stored self-signed certificate cannot be used: {e}"))
    }
}

/// SHA-256 of a certificate: `AB:CD:...`.
pub fn fingerprint(cert: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, cert);
    let pairs: Vec<String> = hash.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    pairs.join(":")
}

/// The client's side of TLS: trusts the system's bundle (`$SSL_CERT_FILE` instead, if set) and the
/// certificates in `extra`.
///
/// # Errors
/// A sentence, when nothing can be trusted or a named file cannot be read.
pub fn connector(extra: Option<&Path>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match std::env::var_os("SSL_CERT_FILE") {
        Some(file) => add_roots(&mut roots, Path::new(&file))?,
        None => {
            if let Some(bundle) = BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
                add_roots(&mut roots, bundle)?;
            }
        }
    }
    if let Some(extra) = extra {
        add_roots(&mut roots, extra)?;
    }
    if roots.is_empty() {
        return Err(
            "no trusted certificates: install ca-certificates, or set SSL_CERT_FILE, \
                    --smarthost-ca or --tls-ca to a PEM file"
                .into(),
        );
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whether a peer's certificate will do: the certificate, those it came with, and the time.
pub type Check = dyn Fn(&CertificateDer<'_>, &[CertificateDer<'_>], UnixTime) -> Result<(), rustls::Error>
    + Send
    + Sync;

/// TLS with whomever is there, against listeners-in alone: what opportunistic STARTTLS is worth
/// (RFC 7435). The handshake's signatures are checked, the certificate is not.
///
/// # Errors
/// A sentence; only when the crypto provider cannot work here.
pub fn anyone() -> Result<TlsConnector, String> {
    checked(Box::new(|_, _, _| Ok(())))
}

/// TLS with whoever has a certificate that passes `check`. The handshake's signatures are checked as
/// always.
///
/// # Errors
/// A sentence; only when the crypto provider cannot work here.
pub fn checked(check: Box<Check>) -> Result<TlsConnector, String> {
    let provider = provider();
    let checked = Arc::new(Checked {
        provider: provider.clone(),
        check,
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(checked)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whether `cert`, for `name`, is vouched for by `anchor`, itself a certificate.
///
/// # Errors
/// What is wrong with it.
pub fn chains(
    anchor: &CertificateDer<'_>,
    cert: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &str,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let wrong = |_| rustls::Error::General(format!("{name} is no host name"));
    let name = ServerName::try_from(name).map_err(wrong)?;
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone().into_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|e| rustls::Error::General(e.to_string()))?;
    verifier
        .verify_server_cert(cert, others, &name, &[], now)
        .map(drop)
}

/// Asks a [`Check`].
struct Checked {
    provider: Arc<CryptoProvider>,
    check: Box<Check>,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked")
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        (self.check)(cert, others, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Adds a file's certificates, leaving out those that rustls cannot use (bundles hold some).
fn add_roots(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let certs = CertificateDer::pem_file_iter(file).map_err(|e| {
        format!(
            "cannot read the certificates in {}: {}",
            file.display(),
            pem_error(&e)
        )
    })?;
    roots.add_parsable_certificates(certs.flatten());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_made_is_usable_and_shown() {
        let names = [
            "mail.example.org".to_owned(),
            "localhost".into(),
            "127.0.0.1".into(),
            "::1".into(),
        ];
        let made = self_signed(&names).unwrap();
        assert_eq!(fingerprint(&made.cert).len(), 32 * 3 - 1);
        let tls = Tls::new(made.certified().unwrap()).unwrap();
        let before = tls.fingerprint();
        tls.replace(self_signed(&names).unwrap().certified().unwrap());
        assert_ne!(tls.fingerprint(), before);
    }
}
