# pillarbox(1) completion for bash. Written from the flags' definition; do not edit.
_pillarbox() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' flags files='' values='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
    done
    case $command in
    '') flags='serve init passwd token app-password alias queue dns client-config dkim import export doctor backup restore verify compact salvage status --version --help' ;;
    serve)
        flags='--db --domain --user --hostname --alias --catch-all --detail-separators --password-file --try --smtp --lan-smtp --lan --lan-relay --lan-any-sender --proxy-from --submission --submissions --imap --imaps --pop3 --pop3s --http --https --metrics --cert --key --allow-plain-auth --max-message-size --quota --quota-messages --cache-mb --max-connections --max-connections-per-address --idle-timeout --login-timeout --smtp-session-time --max-login-failures --smarthost --smarthost-tls --smarthost-user --smarthost-password-file --smarthost-token-file --smarthost-ca --direct --route --sender-route --route-login --sent-copy --tls-reports --source-address --socks5 --socks5-login-file --dkim --queue-retry --queue-retry-most --queue-days --queue-warn --dns --dns-trusted --mta-sts --tls-ca --verify --dnsbl --dnswl --max-messages-per-address --max-messages-per-network --max-recipients --greylist --tarpit --greet-delay --dmarc --imap-without --pop3-delete --pop3-login-delay --apop --http-header --cors-origin --http-proxy --http-url --push-private --warn --warn-disk --warn-logins --notify-url --notify-with --notify-format --notify-auth-file --run-as --verbose --quiet --help'
        files='--db --password-file --cert --key --smarthost-password-file --smarthost-token-file --smarthost-ca --socks5-login-file --tls-ca --notify-auth-file'
        values='--domain --user --hostname --alias --detail-separators --smtp --lan-smtp --lan --proxy-from --submission --submissions --imap --imaps --pop3 --pop3s --http --https --metrics --max-message-size --quota --quota-messages --cache-mb --max-connections --max-connections-per-address --idle-timeout --login-timeout --smtp-session-time --max-login-failures --smarthost --smarthost-tls --smarthost-user --route --sender-route --route-login --source-address --socks5 --dkim --queue-retry --queue-retry-most --queue-days --queue-warn --dns --mta-sts --verify --dnsbl --dnswl --max-messages-per-address --max-messages-per-network --max-recipients --greylist --tarpit --greet-delay --dmarc --imap-without --pop3-delete --pop3-login-delay --http-header --cors-origin --http-proxy --http-url --warn --warn-disk --warn-logins --notify-url --notify-with --notify-format --run-as' ;;
    init)
        flags='--db --domain --user --hostname --alias --password-file --help'
        files='--db --password-file'
        values='--domain --user --hostname --alias' ;;
    passwd)
        flags='--db --stdin --password-file --apop --remove --help'
        files='--db --password-file'
        values='' ;;
    token)
        flags='--db --help'
        files='--db'
        values='' ;;
    app-password)
        flags='--db --protocols --mailboxes --expires --help'
        files='--db'
        values='--protocols --mailboxes --expires' ;;
    alias)
        flags='--db --help'
        files='--db'
        values='' ;;
    queue)
        flags='--db --help'
        files='--db'
        values='' ;;
    dns)
        flags='--db --form --help'
        files='--db'
        values='' ;;
    client-config)
        flags='--db --qr --for --name --help'
        files='--db'
        values='--for --name' ;;
    dkim)
        flags='--db --help'
        files='--db'
        values='' ;;
    import)
        flags='--db --into --seen --password-file --token-file --ca --insecure --again --help'
        files='--db --password-file --token-file --ca'
        values='--into' ;;
    export)
        flags='--db --to --format --mailbox --help'
        files='--db'
        values='--to --format --mailbox' ;;
    doctor)
        flags='--db --dns --far --help'
        files='--db'
        values='--dns --far' ;;
    backup)
        flags='--db --to --since --help'
        files='--db --to'
        values='--since' ;;
    restore)
        flags='--db --replace --help'
        files='--db'
        values='' ;;
    verify)
        flags='--db --help'
        files='--db'
        values='' ;;
    compact)
        flags='--db --in-place --dry-run --help'
        files='--db'
        values='' ;;
    salvage)
        flags='--db --to --help'
        files='--db'
        values='--to' ;;
    status)
        flags='--db --metrics --help'
        files='--db'
        values='' ;;
    *) return ;;
    esac
    if [[ " $values " == *" $prev "* ]]; then
        return
    elif [[ " $files " == *" $prev "* || $prev == -d ]]; then
        compopt -o default
    elif [[ -z $command || $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
    else
        compopt -o default
    fi
}
complete -F _pillarbox pillarbox
