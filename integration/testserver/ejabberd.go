package testserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// ejabberdConfig is a whole configuration file (YAML), by docs.ejabberd.im.
var ejabberdConfig = template.Must(template.New("ejabberd").Parse(`hosts: [{{printf "%q" .Domain}}]
loglevel: info
certfiles: [{{printf "%q" .PEM}}]
ca_file: {{printf "%q" .CA}}
s2s_use_starttls: required
auth_password_format: scram
disable_sasl_mechanisms: [{{range $i, $name := .Disable}}{{if $i}}, {{end}}{{printf "%q" $name}}{{end}}]
{{with .Extra}}{{.}}
{{else}}shaper:
  limited: {rate: {{.BytesPerSecond}}, burst_size: {{.BurstBytes}}}
shaper_rules:
  c2s_shaper: {{.Shaper}}
{{end}}listen:
  - {module: ejabberd_c2s, ip: {{printf "%q" .Host}}, port: {{.Port}}, starttls_required: true, access: all,
     max_stanza_size: {{.MaxStanzaBytes}}, shaper: c2s_shaper}
  - {module: ejabberd_c2s, ip: {{printf "%q" .Host}}, port: {{.DirectPort}}, tls: true, access: all,
     max_stanza_size: {{.MaxStanzaBytes}}, shaper: c2s_shaper}
{{with .ServerPort}}  - {module: ejabberd_s2s_in, ip: {{printf "%q" $.Host}}, port: {{.}}, max_stanza_size: 524288, shaper: none}
{{end -}}
modules:
  mod_adhoc: {}
  mod_blocking: {}
  mod_carboncopy: {}
  mod_disco: {}
{{if .Archive}}  mod_mam: {default: always}
{{end}}  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
{{with .ProxyPort}}  mod_proxy65: {access: all, ip: {{printf "%q" $.Host}}, hostname: {{printf "%q" $.Host}}, port: {{.}}}
{{end}}{{if .Rooms}}  mod_muc: {host: {{printf "rooms.%s" .Domain | printf "%q"}}}
{{end}}  mod_roster: {}
  mod_stream_mgmt: {}
`))

// inetrc keeps the Erlang VM from asking any name server about localhost.
const inetrc = "{lookup,[\"file\",\"native\"]}.\n{host,{127,0,0,1},[\"localhost\"]}.\n"

// StartEjabberd starts ejabberd with stream management, carbons, offline
// storage and the block list, and returns when it answers.
func StartEjabberd(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, Ejabberd, ejabberdRecipe{}, o, freePorts)
}

// ejabberdRecipe is how an ejabberd is set up and run: straight in an Erlang VM
// that is no distributed node, so it needs no name, no cookie and no epmd.
type ejabberdRecipe struct{}

func (ejabberdRecipe) configure(s *Server, ports []int) error {
	rate, shaper := s.opts.BytesPerSecond, "limited"
	if rate == 0 {
		rate, shaper = 1, "none"
	}
	names, port := inetrc, 0
	if s.opts.federation != nil { // which has no DNS
		names, port = inetrc+"{resolv_conf,\"/dev/null\"}.\n", serverPort
	}
	proxyPort := 0
	if s.opts.Proxy {
		proxyPort = ports[2]
	}
	var text strings.Builder
	err := ejabberdConfig.Execute(&text, map[string]any{
		"Domain": s.Domain, "PEM": s.pair.bothFile, "CA": s.pair.caFile, "ServerPort": port, "Host": s.opts.host(), "Port": ports[0], "DirectPort": ports[1],
		"MaxStanzaBytes": s.opts.MaxStanzaBytes, "BytesPerSecond": rate, "BurstBytes": s.opts.BurstBytes, "Shaper": shaper, "Disable": s.opts.DisableMechanisms, "Archive": s.opts.Archive,
		"ProxyPort": proxyPort, "Extra": s.opts.Extra, "Rooms": s.opts.Rooms,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "inetrc"), []byte(names), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, "ejabberd.yml"), []byte(text.String()), 0o600)
}

// register has nothing to do: command's VM makes the accounts itself.
func (ejabberdRecipe) register(context.Context, *Server) error { return nil }

func (ejabberdRecipe) command(s *Server) (*exec.Cmd, error) {
	erl, err := findProgram("erl")
	if err != nil {
		return nil, err
	}
	libs, err := erlangLibs()
	if err != nil {
		return nil, err
	}
	if err := os.Remove(s.readyFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	cmd := exec.Command(erl, "-noinput",
		"-mnesia", "dir", strconv.Quote(filepath.Join(s.Dir, "mnesia")),
		"-s", "ejabberd", "-eval", hostility(s.opts.HostilePercent)+registration(s.Accounts, s.Domain, s.readyFile()))
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(),
		"HOME="+s.Dir,
		"ERL_LIBS="+libs,
		"ERL_INETRC="+filepath.Join(s.Dir, "inetrc"),
		"ERL_CRASH_DUMP="+filepath.Join(s.Dir, "erl_crash.dump"),
		"EJABBERD_CONFIG_PATH="+filepath.Join(s.Dir, "ejabberd.yml"),
		"EJABBERD_LOG_PATH="+filepath.Join(s.Dir, "ejabberd.log"),
		"EJABBERD_PID_PATH="+filepath.Join(s.Dir, "pid"))
	return cmd, nil
}

// ready says whether registration has come to its end.
func (ejabberdRecipe) ready(s *Server) bool {
	_, err := os.Stat(s.readyFile())
	return err == nil
}

// readyFile appears when all accounts exist.
func (s *Server) readyFile() string { return filepath.Join(s.Dir, "accounts.ready") }

// registration is an Erlang expression that makes the accounts within the
// server's own VM (milliseconds; a VM per account takes a second) and then
// creates a file. An account that exists already is left alone; anything else
// that goes wrong ends the VM.
func registration(accounts map[string]string, domain, done string) string {
	text := func(s string) string {
		return `base64:decode(<<"` + base64.StdEncoding.EncodeToString([]byte(s)) + `">>)`
	}
	var expr strings.Builder
	for name, password := range accounts {
		fmt.Fprintf(&expr, "case ejabberd_auth:try_register(%s, %s, %s) of ok -> ok; {error, exists} -> ok end, ",
			text(name), text(domain), text(password))
	}
	fmt.Fprintf(&expr, "ok = file:write_file(%s, <<>>).", text(done))
	return expr.String()
}

// hostility is an Erlang expression that has the server drop, repeat, delay or put out of order such a share each of messages of type headline, as mod_hostile.lua does.
func hostility(percent int) string {
	if percent == 0 {
		return ""
	}
	return fmt.Sprintf(`Chance = fun() -> rand:uniform(100) =< %d end,
Later = fun(Milliseconds, Message) -> timer:apply_after(Milliseconds, ejabberd_router, route, [Message]), drop end,
Meddle = fun(Message) ->
	Chance() andalso ejabberd_router:route(Message),
	case {Chance(), Chance()} of
		{true, _} -> Later(50 + rand:uniform(150), Message);
		{_, true} -> Later(rand:uniform(10), Message);
		_ -> Message
	end
end,
ejabberd_hooks:add(filter_packet, fun(Packet) ->
	case element(1, Packet) =:= message andalso xmpp:get_type(Packet) =:= headline andalso not xmpp:get_meta(Packet, meddled, false) of
		false -> Packet;
		true ->
			case Chance() of
				true -> drop;
				false -> Meddle(xmpp:put_meta(Packet, meddled, true))
			end
	end
end, 50), `, percent)
}

// erlangLibs finds the folder that ejabberd and the Erlang libraries it needs
// are installed in, a value for ERL_LIBS. Packagers disagree about it.
func erlangLibs() (string, error) {
	roots := filepath.SplitList(os.Getenv("ERL_LIBS"))
	roots = append(roots, "/usr/lib/*-linux-gnu*", "/usr/lib/erlang/lib", "/usr/lib64/erlang/lib", "/usr/lib", "/usr/lib/ejabberd",
		"/usr/local/lib/erlang/lib", "/usr/local/lib", "/opt/ejabberd-*/lib", "/opt/homebrew/lib")
	for _, root := range roots {
		apps, err := filepath.Glob(filepath.Join(root, "ejabberd-*", "ebin", "ejabberd.app"))
		if err != nil {
			return "", fmt.Errorf("look for ejabberd in %s: %w", root, err)
		}
		if len(apps) > 0 {
			return filepath.Dir(filepath.Dir(filepath.Dir(apps[0]))), nil
		}
	}
	return "", errors.New("ejabberd's ebin folder is nowhere that we know of")
}
