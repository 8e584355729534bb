//! ESEARCH: several mailboxes in one search; FILTER.

#[test]
fn rfc7377() {
    super::transcript::play("rfc7377.txt");
}

#[test]
fn rfc5466() {
    super::transcript::play("rfc5466.txt");
}
