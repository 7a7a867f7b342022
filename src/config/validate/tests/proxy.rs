//! Members, deployments, ways out, balancers, and rules of enforcement.

use super::*;

#[test]
fn there_is_a_front_for_each_member_that_clients_reach_here() {
    let fronts = |text: &str| {
        let (settings, _) = file(text).unwrap();
        let shown = |front: &Front| format!("{} -> {}", front.listen, front.upstream);
        settings.proxy.fronts.iter().map(shown).collect::<Vec<_>>()
    };
    let other = "{host: 'db2:27018', advertise: 'gate2:27017'}";
    let here = "{host: 'db1:27018', listen: '10.0.0.1:27017', advertise: 'gate1:27017'}";
    let port = "{host: 'db3:27018', listen: 27019, advertise: 'gate3:27017'}";
    let cases = [
        ("proxy.upstream.address: 'db:1'".to_owned(), vec!["net.port -> db:1"]),
        (format!("proxy: {{members: [{other}], upstream: {{address: 'db:1'}}}}"), vec!["net.port -> db:1"]),
        (format!("proxy: {{members: [{other}, {here}], upstream: {{address: 'db:1'}}}}"), vec!["10.0.0.1:27017 -> db:1"]),
        (format!("proxy: {{members: [{other}, {here}]}}"), vec!["10.0.0.1:27017 -> db1:27018"]),
        (format!("proxy: {{members: [{here}, {port}]}}"), vec!["10.0.0.1:27017 -> db1:27018", "27019 -> db3:27018"]),
    ];
    for (text, expected) in cases {
        assert_eq!(fronts(&text), expected, "{text}");
    }
    let needs_address = file(&format!("proxy: {{members: [{other}]}}")).unwrap_err();
    assert!(first(&needs_address).contains("proxy.upstream.address is required"), "{needs_address}");
    let flags = flags("--proxyMembers host=a:1,listen=5,advertise=g:1 --proxyMembers host=a:2,listen=6,advertise=g:2").unwrap();
    assert_eq!(flags.0.proxy.members.len(), 2);
}

#[test]
fn several_mongods_at_one_place_need_names_and_tls() {
    const TLS: &str = "net.tls: {mode: allowTLS, certificateKeyFile: s}\n";
    const DEPLOYMENTS: &str =
        "proxy.deployments: [{serverName: One.example, address: 'a:1'}, {serverName: two, address: 'b:1'}]\n";
    let members = |advertise: &str| {
        format!(
            "proxy.members: [{{host: 'a:1', listen: 5, advertise: 'one:5'}}, {{host: 'b:1', listen: 5, advertise: '{advertise}'}}, \
             {{host: 'c:1', listen: 6, advertise: 'one:6'}}]\n"
        )
    };
    let names = |text: &str| -> Result<Vec<Option<String>>, String> {
        let (settings, _) = file(text).map_err(|errors| errors.to_string())?;
        Ok(settings.proxy.fronts.into_iter().map(|front| front.server_name).collect())
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(names(&format!("{TLS}{DEPLOYMENTS}")), Ok(vec![some("one.example"), some("two")]));
    assert_eq!(names(&format!("{TLS}{}", members("Two:5"))), Ok(vec![some("one"), some("two"), None]));
    let refused = [
        (DEPLOYMENTS.to_owned(), "only a TLS hello tells which is meant"),
        (members("two:5"), "only a TLS hello tells which is meant"),
        (format!("{TLS}{}", members("ONE:6")), "not two names that a TLS hello can tell apart"),
        (format!("{TLS}{}", members("10.0.0.1:5")), "not two names that a TLS hello can tell apart"),
        (format!("{TLS}{DEPLOYMENTS}{}", members("two:5")), "excludes proxy.upstream.address and proxy.members"),
    ];
    for (text, expected) in refused {
        let found = names(&text).unwrap_err();
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn a_reload_takes_addresses_and_certificates_of_deployments_but_not_names() {
    let settings = |deployments: &str| {
        let text = format!("net.tls: {{mode: requireTLS, certificateKeyFile: s}}\nproxy.deployments: [{deployments}]\n");
        file(&text).unwrap().0
    };
    let old = settings("{serverName: a, address: 'a:1'}, {serverName: b, address: 'b:1'}");
    for (text, taken) in [
        ("{serverName: a, address: 'c:1'}, {serverName: b, address: 'b:1', certificateKeyFile: x}", true),
        ("{serverName: a, address: 'c:1'}", false),
        ("{serverName: a, address: 'a:1'}, {serverName: c, address: 'b:1'}", false),
        ("{serverName: b, address: 'b:1'}, {serverName: a, address: 'a:1'}", false),
    ] {
        let (mut new, wanted) = (settings(text), settings(text));
        new.keep_until_restart(&old);
        let expected = if taken { wanted } else { old.clone() };
        assert_eq!((&new.proxy.fronts, &new.proxy.deployments), (&expected.proxy.fronts, &expected.proxy.deployments), "{text}");
    }
}

#[test]
fn a_reload_changes_where_a_way_out_leads_to_but_not_where_it_begins() {
    let settings = |egress: &str| file(&format!("security.keyFile: /k\nproxy.egress: [{egress}]{UPSTREAM}")).unwrap().0;
    let old = settings("{listen: '127.0.0.2:1', to: 'b:1'}, {listen: '0.0.0.0:2', to: 'c:1', from: '10.0.0.1,10.1.0.0/16'}");
    for (text, taken) in [
        ("{listen: '127.0.0.2:1', to: 'd:1'}, {listen: '0.0.0.0:2', to: 'c:2', from: '::1'}", true),
        ("{listen: '127.0.0.2:1', to: 'd:1'}", false),
        ("{listen: '127.0.0.2:3', to: 'b:1'}, {listen: '0.0.0.0:2', to: 'c:1', from: '10.0.0.1'}", false),
    ] {
        let (mut new, wanted) = (settings(text), settings(text));
        new.keep_until_restart(&old);
        assert_eq!(new.proxy.egress, if taken { wanted } else { old.clone() }.proxy.egress, "{text}");
    }
}

#[test]
fn a_way_out_needs_no_key_where_nobody_has_to_log_in() {
    let egress = "proxy.egress: [{listen: '127.0.0.1:1', to: 'b:1'}]";
    let (settings, _) = file(&format!("security.authorization: disabled\n{egress}{UPSTREAM}")).unwrap();
    assert_eq!(settings.proxy.egress.len(), 1);
}

#[test]
fn a_header_from_everybody_is_warned_of() {
    for (from, warned) in [("[10.0.0.0/8, '0.0.0.0/0']", true), ("['::/0']", true), ("[10.0.0.0/8, '::1']", false), ("[]", false)]
    {
        let (settings, warnings) = file(&format!("proxy.proxyProtocol.from: {from}{UPSTREAM}")).unwrap();
        let found = warnings.iter().any(|warning| warning.message.contains("can claim any address"));
        assert_eq!(found, warned, "{from}: {:?}", settings.proxy.proxy_protocol_from);
    }
}

fn rules(text: &str) -> Result<Vec<EnforcementRule>, String> {
    let file = file(&format!("security: {{keyFile: /k, transitionToAuth: true}}\nproxy.enforcement: {text}{UPSTREAM}"));
    file.map(|(settings, _)| settings.proxy.enforcement).map_err(|errors| first(&errors).to_owned())
}

#[test]
fn who_is_enforced_early_is_told_by_entries_whose_fields_must_all_match() {
    let source = |text: &str| Some(text.parse().unwrap());
    let none = EnforcementRule::default;
    let cases = [
        ("[]", vec![]),
        ("[{source: 10.0.0.0/8}]", vec![EnforcementRule { source: source("10.0.0.0/8"), ..none() }]),
        (
            "[{application: shop, percentage: 25}, {application: ''}]",
            vec![
                EnforcementRule { application: Some("shop".into()), percentage: Some(25), ..none() },
                EnforcementRule { application: Some(String::new()), ..none() },
            ],
        ),
        ("[{user: a@b@app}]", vec![EnforcementRule { user: Some(UserName::new("a@b", "app")), ..none() }]),
    ];
    for (text, expected) in cases {
        assert_eq!(rules(text), Ok(expected), "{text}");
    }
    let by_flag =
        flags("--keyFile /k --transitionToAuth --proxyUpstreamAddress h:1 --proxyEnforcement source=::1,percentage=5").unwrap();
    assert_eq!(by_flag.0.proxy.enforcement, [EnforcementRule { source: source("::1"), percentage: Some(5), ..none() }]);
}

#[test]
fn an_entry_that_would_not_say_for_whom_is_refused() {
    for (text, expected) in [
        ("[{}]", "says nothing"),
        ("[{source: shop}]", "source 'shop': Invalid IP address in CIDR string"),
        ("[{user: alice}]", "user is no NAME@DATABASE: 'alice'"),
        ("[{user: '@admin'}]", "user is no NAME@DATABASE"),
        ("[{percentage: 101}]", "percentage is no number from 0 to 100: '101'"),
        ("[{percentage: -1}]", "percentage is no number"),
        ("[{percentage: 5.5}]", "percentage is no number"),
        ("[{percentage: ''}]", "percentage is no number"),
        ("[{app: shop}]", "has no field 'app'"),
    ] {
        assert!(rules(text).is_err_and(|error| error.contains(expected)), "{text}: {:?}", rules(text));
    }
}

#[test]
fn rules_of_enforcement_without_a_transition_are_warned_of() {
    let warned = |security: &str| {
        let (_, warnings) = file(&format!("{security}\nproxy.enforcement: [{{percentage: 5}}]{UPSTREAM}")).unwrap();
        warnings.iter().any(|warning| warning.message.contains("proxy.enforcement has no effect"))
    };
    assert!(!warned("security: {keyFile: /k, transitionToAuth: true}"));
    assert!(warned("security: {keyFile: /k}"));
    assert!(warned("security: {authorization: disabled}"));
}
