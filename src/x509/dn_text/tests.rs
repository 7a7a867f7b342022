use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<String, String> {
    match DistinguishedName::from_text(text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(error) => Err(format!("{} {error}", error.code().code())),
    }
}

#[test]
fn a_text_is_read_as_mongod_reads_it() {
    let cases = [
        ("", ""),
        ("O=Alt,OU=AltU", "O=Alt,OU=AltU"),
        ("  O=x,  OU=y", "O=x,OU=y"),
        ("O=a+OU=b", "O=a+OU=b"),
        ("O=a+ OU=b", "O=a+OU=b"),
        ("O=Alt,", "O=Alt"),
        ("O=a+", "O=a"),
        ("O=,OU=x", "O=,OU=x"),
        ("O= ,OU=x", "O=,OU=x"),
        ("O=+OU=x", "O=+OU=x"),
        ("O =a", "O=a"),
        ("o rganizationName=x", "O=x"),
        ("2.5.4 .10=x", "O=x"),
        ("2.5.4.010.=x", "O=x"),
        ("1.2.3.4=x", "1.2.3.4=x"),
        ("MongoRoles=x", "MongoRoles=x"),
        ("DES-EDE3=x,O=a", "=x,O=a"),
        ("O=  a", "O=a"),
        ("O= \\ a", "O=\\ a"),
        ("O=abc ,OU=x", "O=abc\\ ,OU=x"),
        ("O=a\\=b=c", "O=a=b=c"),
        ("O=a#b\\#", "O=a#b#"),
        ("O=\\,\\+\\\"\\\\\\<\\>\\;", "O=\\,\\+\\\"\\\\\\<\\>\\;"),
        ("O=\\41lt\\2c", "O=Alt\\,"),
        ("O=e\\CC\\81", "O=\\C3\\A9"),
        ("O=\u{e9}", "O=\\C3\\A9"),
        ("O=x\n", "O=x "),
        ("O=a\0b", "O=ab"),
        ("O==", "O=="),
        ("O='", "O='"),
    ];
    for (text, expected) in cases {
        assert_eq!(parsed(text), Ok(expected.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_no_dn_is_refused_in_mongods_words() {
    let overflow = "51036 Overflowed string while parsing DN string";
    let unknown = "2 DN contained an unknown OID (None)";
    let cases = [
        ("O=", overflow),
        ("O= ", overflow),
        ("O=Alt,OU=", overflow),
        ("O=Alt, ", overflow),
        ("O", overflow),
        (" ", overflow),
        ("FOO", unknown),
        ("FOO=<", unknown),
        ("o=Alt", unknown),
        ("O-=x", unknown),
        ("2=x", unknown),
        ("2.=x", unknown),
        ("1.40=x", unknown),
        ("O=\u{221},FOO=x", unknown),
        (",O=Alt", "2 DN attribute names must begin with either a digit or an alpha not ','"),
        ("O=\u{221},=", "2 DN attribute names must begin with either a digit or an alpha not '='"),
        ("\tO=a", "2 DN attribute names must begin with either a digit or an alpha not '\t'"),
        ("\u{d6}=x", "2 DN attribute names must begin with either a digit or an alpha not '\u{fffd}'"),
        ("O,OU=x", "2 DN attribute name contains an invalid character ','"),
        ("2.5.4.x=x", "2 DN attribute name contains an invalid character 'x'"),
        ("dsa_with_SHA224=x", "2 DN attribute name contains an invalid character '_'"),
        ("O=#0c03416c74", "2 Raw DER sequences are not supported in DN strings"),
        ("O= #b", "2 Raw DER sequences are not supported in DN strings"),
        ("O=\"Alt\"", "2 Found unescaped character that should be escaped: '\"'"),
        ("O=a<b", "2 Found unescaped character that should be escaped: '<'"),
        ("O=\u{221}<", "2 Found unescaped character that should be escaped: '<'"),
        ("O=a\\", "2 Invalid escaped character '\0'"),
        ("O=a\\g4", "2 Invalid escaped character 'g'"),
        ("O=a\\4", "2 Escaped hex value contains invalid character '\0'"),
        ("O=a\\4g", "2 Escaped hex value contains invalid character 'g'"),
        ("O=\\C3", "2 Non UTF-8 data encountered"),
        ("O=\\00", "50692 Error preflighting normalization: U_STRING_NOT_TERMINATED_WARNING"),
        ("CN=\u{221}", "50692 Error preflighting normalization: U_STRINGPREP_UNASSIGNED_ERROR"),
        ("O=\u{e000}", "50692 Error preflighting normalization: U_STRINGPREP_PROHIBITED_ERROR"),
    ];
    for (text, expected) in cases {
        assert_eq!(parsed(text), Err(expected.to_owned()), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = DistinguishedName::from_text(&text);
    }

    #[test]
    fn no_text_of_dn_characters_makes_the_parser_panic(text in "[OUCDN0-9.,+=\\\\ #a-fé\"]{0,40}") {
        if let Ok(name) = DistinguishedName::from_text(&text) {
            prop_assert!(name.as_str().is_ascii());
        }
    }
}
