//! What a push service and whoever listens there may know: messages are sealed for the subscription's
//! keys (RFC 8291, in the coding of RFC 8188), and every request says who we are (VAPID, RFC 8292).
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use ring::{aead, agreement, hmac};

use crate::sys::random;

/// A subscription's keys.
#[derive(Clone)]
pub struct Keys {
    /// A point of P-256, uncompressed.
    pub public: Vec<u8>,
    /// The secret that the service does not know.
    pub auth: Vec<u8>,
}

/// Record size; a message is one record and shorter (RFC 8291 §4).
const RECORD: u32 = 4096;
/// Octets of a message that fit.
pub const MOST: usize = 3993;

impl Keys {
    /// Reads `p256dh` and `auth`, padded or not.
    pub fn parse(p256dh: &str, auth: &str) -> Option<Keys> {
        let read = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let (public, auth) = (read(p256dh)?, read(auth)?);
        let is_point = public.len() == 65 && public.first() == Some(&4);
        (is_point && auth.len() == 16).then_some(Keys { public, auth })
    }

    /// Seals a message. None where the point is none of the curve, or there is no randomness.
    pub fn seal(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let mine = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random).ok()?;
        let public = mine.compute_public_key().ok()?;
        let salt = random::octets::<16>().ok()?;
        let theirs = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, &self.public);
        let shared = agreement::agree_ephemeral(mine, &theirs, <[u8]>::to_vec).ok()?;
        self.close(&shared, public.as_ref(), salt, message)
    }

    /// RFC 8291 §3.4.
    fn close(&self, shared: &[u8], ours: &[u8], salt: [u8; 16], message: &[u8]) -> Option<Vec<u8>> {
        if message.len() > MOST {
            return None;
        }
        let extracted = sign(&self.auth, &[shared]);
        let info: [&[u8]; 4] = [b"WebPush: info\0", &self.public, ours, &[1]];
        let material = sign(extracted.as_ref(), &info);
        let key = sign(&salt, &[material.as_ref()]);
        let content = sign(key.as_ref(), &[b"Content-Encoding: aes128gcm\0\x01"]);
        let nonce = sign(key.as_ref(), &[b"Content-Encoding: nonce\0\x01"]);
        let content =
            aead::UnboundKey::new(&aead::AES_128_GCM, content.as_ref().get(..16)?).ok()?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce.as_ref().get(..12)?).ok()?;
        let mut sealed = message.to_vec();
        // The last record's padding begins with 2 (RFC 8188 §2).
        sealed.push(2);
        aead::LessSafeKey::new(content)
            .seal_in_place_append_tag(nonce, aead::Aad::empty(), &mut sealed)
            .ok()?;
        let mut out = salt.to_vec();
        out.extend_from_slice(&RECORD.to_be_bytes());
        out.push(u8::try_from(ours.len()).ok()?);
        out.extend_from_slice(ours);
        out.append(&mut sealed);
        Some(out)
    }
}

fn sign(key: &[u8], message: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    message.iter().for_each(|piece| context.update(piece));
    context.sign()
}

/// Our own key, by which push services know us.
pub struct Vapid {
    pair: EcdsaKeyPair,
    /// The public half as `applicationServerKey` has it (RFC 9749 §3).
    pub public: String,
}

impl Vapid {
    /// A new one, in the form in which it is kept.
    pub fn generate() -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
        Some(key.as_ref().to_vec())
    }

    /// Reads it.
    pub fn read(kept: &[u8]) -> Option<Vapid> {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, kept, &random).ok()?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        Some(Vapid { pair, public })
    }

    /// The value of Authorization for a service of this origin until `expires`, which is a day away at
    /// most (RFC 8292 §2, §3).
    pub fn authorization(&self, origin: &str, contact: &str, expires: u32) -> Option<String> {
        let claims = serde_json::json!({ "aud": origin, "exp": expires, "sub": contact });
        let mut token = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ES256"}"#);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), token.as_bytes())
            .ok()?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Some(format!("vapid t={token}, k={}", self.public))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8291 §5 and appendix A.
    #[test]
    fn watermelon() {
        let public = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let keys = Keys::parse(public, "BTBZMqHH6r4Tts7J_aSIgg==").unwrap();
        let ours = read(
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
        );
        let shared = read("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let salt = read("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let sealed = keys.close(&shared, &ours, salt, text).unwrap();
        assert_eq!(
            sealed,
            read(
                "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml\
                 mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT\
                 pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
            )
        );
        assert!(keys.seal(text).unwrap().len() == sealed.len());
        assert_eq!(keys.seal(&[0; MOST]).unwrap().len(), 4096);
    }

    #[test]
    fn who_we_are() {
        let vapid = Vapid::read(&Vapid::generate().unwrap()).unwrap();
        let value = vapid
            .authorization("https://push.example", "mailto:a@b", 7)
            .unwrap();
        let token = value.strip_prefix("vapid t=").unwrap();
        let (token, key) = token.split_once(", k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = ring::signature::UnparsedPublicKey::new(
            &ring::signature::ECDSA_P256_SHA256_FIXED,
            read(key),
        );
        public.verify(signed.as_bytes(), &read(signature)).unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        assert_eq!(read(head), br#"{"typ":"JWT","alg":"ES256"}"#);
        let claims: serde_json::Value = serde_json::from_slice(&read(claims)).unwrap();
        assert_eq!(claims["aud"], "https://push.example");
    }
}
