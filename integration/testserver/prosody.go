package testserver

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// prosodyConfig is a whole configuration file (Lua), by prosody.im/doc/configure.
var prosodyConfig = template.Must(template.New("prosody").Parse(`run_as_root = {{.Root}}
daemonize = false
pidfile = {{printf "%q" .PIDFile}}
data_path = {{printf "%q" .Data}}
certificates = {{printf "%q" .Dir}}
log = { { levels = { min = "info" }, to = "console" } }
admin_socket = {{printf "%q" .Socket}}
interfaces = { {{printf "%q" .Host}} }
c2s_ports = { {{.Port}} }
c2s_direct_tls_ports = { {{.DirectPort}} }
s2s_ports = { {{with .Names}}{{$.ServerPort}}{{end}} }
http_ports = {}
https_ports = {}
c2s_require_encryption = true
c2s_stanza_size_limit = {{.MaxStanzaBytes}}
{{with .KBPerSecond}}limits = { c2s = { rate = "{{.}}kb/s" }, s2sin = { rate = "{{.}}kb/s" } }
{{end -}}
authentication = "internal_hashed"
{{with .Disable}}disable_sasl_mechanisms = { {{range .}}{{printf "%q" .}}, {{end}} }
{{end -}}
ssl = { key = {{printf "%q" .Pair.Key}}, certificate = {{printf "%q" .Pair.Cert}}, cafile = {{printf "%q" .Pair.CA}} }
plugin_paths = { {{printf "%q" .Dir}} }
hostile_percent = {{.HostilePercent}}
strict_bytes = {{.StrictBytes}}
strict_beyond = {{printf "%q" .Beyond}}
{{with .TURN}}turn_external_host = {{printf "%q" .Host}}
turn_external_port = {{.Port}}
turn_external_secret = {{printf "%q" .Secret}}
turn_external_ttl = 3600
{{if eq $.TURNOver "tcp"}}turn_external_tcp = true
{{else if eq $.TURNOver "tls"}}turn_external_tls_port = {{.TLSPort}}
{{end -}}
{{end -}}
{{if .RotateTokens}}sasl2_fast_token_min_ttl = 0
{{end -}}
{{with .ProxyPort}}proxy65_ports = { {{.}} }
{{end -}}
{{with .Names}}names = {{.}}
s2s_secure_auth = true
{{end -}}
modules_enabled = {
	"roster", "saslauth", "tls", "disco", "ping", "smacks", "carbons", "posix", "offline", "blocklist",
	{{with .KBPerSecond}}"limits",{{end}} {{with .Names}}"names",{{end}} {{with .HostilePercent}}"hostile",{{end}} {{with .StrictBytes}}"strict",{{end}} {{if .Archive}}"mam",{{end}} {{if .CopyAll}}"copyall",{{end}} {{with .TURN}}"turn_external",{{end}}
	{{if .SASL2}}"tlsinfo", "sasl2", "sasl2_bind2", "sasl2_fast",{{end}}
}
{{if not .Names}}modules_disabled = { "s2s" }
{{end -}}
{{.Extra}}
VirtualHost {{printf "%q" .Domain}}
{{if .ProxyPort -}}
Component {{printf "proxy.%s" .Domain | printf "%q"}} "proxy65"
	proxy65_address = {{printf "%q" .Host}}
{{end -}}
{{if .Rooms -}}
Component {{printf "rooms.%s" .Domain | printf "%q"}} "muc"
	muc_room_locking = false
{{end -}}
`))

// prosodyModules are modules of Prosody's that only tests need.
//
//go:embed mod_names.lua mod_hostile.lua mod_strict.lua mod_tlsinfo.lua mod_copyall.lua
var prosodyModules embed.FS

// StartProsody starts Prosody with smacks, carbons, offline storage and the
// block list, and returns when it answers.
func StartProsody(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, Prosody, prosodyRecipe{}, o, freePorts)
}

// prosodyRecipe is how a Prosody is set up and run.
type prosodyRecipe struct{}

func (prosodyRecipe) configure(s *Server, ports []int) error {
	const unit = 1000 // what "kb" means to mod_limits; its "b" means ten bytes
	if s.opts.BytesPerSecond%unit != 0 {
		return fmt.Errorf("prosody can't limit to %d bytes per second, only to multiples of %d", s.opts.BytesPerSecond, unit)
	}
	names := ""
	if s.opts.federation != nil {
		names = s.opts.federation.luaNames()
	}
	proxyPort := 0
	if s.opts.Proxy {
		proxyPort = ports[2]
	}
	var text strings.Builder
	err := prosodyConfig.Execute(&text, map[string]any{
		"Root": os.Geteuid() == 0, "Dir": s.Dir,
		"PIDFile": filepath.Join(s.Dir, "pid"), "Data": filepath.Join(s.Dir, "data"), "Socket": filepath.Join(s.Dir, "admin.sock"),
		"Host": s.opts.host(), "Port": ports[0], "DirectPort": ports[1],
		"MaxStanzaBytes": s.opts.MaxStanzaBytes, "KBPerSecond": s.opts.BytesPerSecond / unit, "Disable": s.opts.DisableMechanisms,
		"Pair":   map[string]string{"Key": s.pair.keyFile, "Cert": s.pair.certFile, "CA": s.pair.caFile},
		"Domain": s.Domain, "Names": names, "ServerPort": serverPort, "HostilePercent": s.opts.HostilePercent,
		"StrictBytes": s.opts.StrictBytes, "Beyond": s.opts.Beyond, "Archive": s.opts.Archive, "CopyAll": s.opts.CopyAll,
		"TURN": s.opts.TURN, "TURNOver": s.opts.TURNOver, "ProxyPort": proxyPort, "SASL2": s.opts.SASL2, "RotateTokens": s.opts.RotateTokens,
		"Extra": s.opts.Extra, "Rooms": s.opts.Rooms,
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "data"), 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(s.Dir, prosodyModules); err != nil && !errors.Is(err, fs.ErrExist) { // it may be started anew on other ports
		return err
	}
	return os.WriteFile(s.prosodyFile(), []byte(text.String()), 0o600)
}

// register makes the accounts before the server runs, 0.1 s each.
func (prosodyRecipe) register(ctx context.Context, s *Server) error {
	for name, password := range s.Accounts {
		cmd, err := s.prosodyCommand("prosodyctl", "register", name, s.Domain, password)
		if err != nil {
			return err
		}
		bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
		if out, err := bounded.CombinedOutput(); err != nil {
			return fmt.Errorf("register %s@%s: %w: %s", name, s.Domain, err, out)
		}
	}
	return nil
}

func (prosodyRecipe) command(s *Server) (*exec.Cmd, error) {
	return s.prosodyCommand("prosody", "-F")
}

// ready has nothing to add: accounts are there before the server is.
func (prosodyRecipe) ready(*Server) bool { return true }

// prosodyFile is the configuration file's path.
func (s *Server) prosodyFile() string { return filepath.Join(s.Dir, "prosody.cfg.lua") }

// prosodyCommand is a call of one of Prosody's programs on our configuration.
func (s *Server) prosodyCommand(program string, args ...string) (*exec.Cmd, error) {
	path, err := findProgram(program)
	if err != nil {
		return nil, err
	}
	global := []string{"--config", s.prosodyFile()}
	if os.Geteuid() == 0 {
		global = append([]string{"--root"}, global...)
	}
	return exec.Command(path, append(global, args...)...), nil
}
