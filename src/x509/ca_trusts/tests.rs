use proptest::prelude::*;

use super::*;

const CA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn name(role: &str, database: &str) -> RoleName {
    RoleName { role: role.into(), database: database.into() }
}

fn trusts(roles: &str) -> CaTrusts {
    CaTrusts::parse(&format!("[{{sha256: '{CA}', roles: {roles}}}]")).unwrap()
}

#[test]
fn the_parameter_is_refused_in_mongods_words() {
    let cases = [
        ("null", "code 9: FailedToParse: Expecting '{': offset:0 of:null"),
        ("[{}]", "BSON field 'tlsCATrusts.sha256' is missing but a required field"),
        ("[{sha256:'CA'}]", "BSON field 'tlsCATrusts.roles' is missing but a required field"),
        ("[1]", "Value must be an array of trust definitions"),
        ("{a:{sha256:'CA',roles:[]}}", "Value must be an array"),
        ("[{sha256:'CA',roles:[{role:'a'}]}]", "RoleName must contain a field named: db"),
        ("[{sha256:'CA',roles:[{db:'a'}]}]", "RoleName must contain a field named: role"),
        ("[{sha256:'CA',roles:[{role:1,db:'b'}]}]", "RoleName must contain a string field named: role. But, has type int"),
        ("[{sha256:'CA',roles:['a']}]", "RoleName must contain a '.' separated database.role pair"),
        ("[{sha256:'abc',roles:[]}]", "Hash input is not a hex string"),
        ("[{sha256:'',roles:[]}]", "Unsupported SHA256Block hash length: 0"),
        ("[{sha256:'CA',roles:[]},{sha256:'CA',roles:[]}]", "Duplicate thumbprint: ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8="),
        ("[{sha256:'CA',roles:{}}]", "BSON field 'tlsCATrusts.roles' is the wrong type 'object', expected type 'array'"),
        ("[{sha256:1,roles:[]}]", "BSON field 'tlsCATrusts.sha256' is the wrong type 'int', expected type 'string'"),
        ("[{sha256:'CA',roles:[],x:1}]", "BSON field 'tlsCATrusts.x' is an unknown field."),
        ("[{sha256:'CA',roles:[],roles:[]}]", "BSON field 'tlsCATrusts.roles' is a duplicate field"),
    ];
    for (text, expected) in cases {
        assert_eq!(CaTrusts::parse(&text.replace("CA", CA)).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn the_parameter_may_be_written_in_several_ways() {
    let expected = trusts("[{role: 'read', db: 'a'}]");
    for text in [
        r#"[{"sha256":"CA","roles":[{"role":"read","db":"a"}]}]"#,
        "{'0':{roles:[{db:'a',role:'read',more:1}],sha256:'CA'}}",
        "[{sha256:'CA',roles:['a.read']}] ignored",
    ] {
        assert_eq!(CaTrusts::parse(&text.replace("CA", &CA.to_uppercase())), Ok(expected.clone()), "{text}");
    }
}

#[test]
fn a_ca_grants_the_roles_that_are_listed_for_it() {
    let trusts = trusts("[{role:'read',db:'a'},{role:'',db:'b'},{role:'dbAdmin',db:''}]");
    let granted = [name("read", "a"), name("anything", "b"), name("dbAdmin", "c")];
    assert_eq!(trusts.judge(CA, &granted), Ok(()));
    assert_eq!(trusts.judge(&CA.to_uppercase(), &granted), Ok(()));
    assert!(trusts.judge(CA, &[name("read", "c")]).is_err());
}

#[test]
fn one_role_too_many_spoils_all() {
    let refusal = trusts("[{role:'read',db:'a'}]").judge(CA, &[name("read", "a"), name("root", "admin")]).unwrap_err();
    let expected = format!("CA: {} is not authorized to grant role root@admin due to tlsCATrusts parameter", CA.to_uppercase());
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn an_unknown_ca_grants_nothing() {
    let other = CA.replace('0', "1");
    let refusal = trusts("[{role:'',db:''}]").judge(&other, &[name("read", "a")]).unwrap_err();
    let expected = format!("CA: {} is not authorized to grant any roles due to tlsCATrusts parameter", other.to_uppercase());
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn an_empty_list_lets_nobody_grant_anything() {
    for text in ["[]", "{}", ""] {
        let refusal = CaTrusts::parse(text).unwrap().judge(CA, &[name("read", "a")]).unwrap_err();
        assert_eq!(refusal.to_string(), "tlsCATrusts parameter prohibits role based authorization via X509 certificates");
    }
}

#[test]
fn a_certificate_without_roles_is_untouched() {
    assert_eq!(CaTrusts::parse("[]").unwrap().judge(CA, &[]), Ok(()));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[\\[\\]{}:,'\"\\\\a-f0-9u ]{0,60}|\\PC{0,40}") {
        let _ = CaTrusts::parse(&text);
    }
}

#[test]
fn a_certificate_is_named_by_its_digest() {
    assert_eq!(sha256_hex(b"abc"), "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
}
