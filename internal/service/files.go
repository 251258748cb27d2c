package service

import (
	"encoding/binary"
	"encoding/xml"
	"strings"
	"unicode/utf16"
)

// unit is a user unit of systemd (systemd.service(5)). Of what hardens a service it has what works without privileges, and lets hooks be: no sandbox of files, and
// none of set-group-id bits, which git sets in shared repositories.
func (d Definition) unit() string {
	var env strings.Builder
	for _, kv := range d.Env {
		env.WriteString("Environment=" + unitWord(kv, false) + "\n")
	}
	command := unitWord(d.Program, false)
	for _, arg := range d.Args {
		command += " " + unitWord(arg, true)
	}
	return `[Unit]
Description=git repositories over XMPP

[Service]
Type=notify
ExecStart=` + command + `
` + env.String() + `WatchdogSec=60
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStopSec=20
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
`
}

// unitWord quotes a word as systemd.syntax(7) wants it; in a command's arguments variables would be expanded, too.
func unitWord(word string, variables bool) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(word)
	if variables {
		word = strings.ReplaceAll(word, "$", "$$")
	}
	return `"` + word + `"`
}

// plist is an agent of launchd (launchd.plist(5)).
func (d Definition) plist(log string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + name + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, word := range append([]string{d.Program}, d.Args...) {
		b.WriteString("\t\t<string>" + escape(word) + "</string>\n")
	}
	b.WriteString("\t</array>\n\t<key>EnvironmentVariables</key>\n\t<dict>\n")
	for _, kv := range d.Env {
		key, value, _ := strings.Cut(kv, "=")
		b.WriteString("\t\t<key>" + escape(key) + "</key>\n\t\t<string>" + escape(value) + "</string>\n")
	}
	b.WriteString(`	</dict>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>30</integer>
	<key>ExitTimeOut</key>
	<integer>20</integer>
	<key>StandardOutPath</key>
	<string>` + escape(log) + `</string>
	<key>StandardErrorPath</key>
	<string>` + escape(log) + `</string>
</dict>
</plist>
`)
	return b.String()
}

// taskXML is a task of the task scheduler of Windows, which begins when the user logs in. It gets the user's own environment.
func (d Definition) taskXML(user string) string {
	var args []string
	for _, arg := range d.Args {
		args = append(args, windowsWord(arg))
	}
	text := `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>git repositories over XMPP</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>` + escape(user) + `</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>` + escape(user) + `</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <Enabled>true</Enabled>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>` + escape(d.Program) + `</Command>
      <Arguments>` + escape(strings.Join(args, " ")) + `</Arguments>
    </Exec>
  </Actions>
</Task>
`
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// windowsWord quotes a word for a command line of Windows (CommandLineToArgvW).
func windowsWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \"") {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	slashes := 0
	for _, r := range word {
		switch r {
		case '\\':
			slashes++
		case '"':
			b.WriteString(strings.Repeat(`\`, slashes+1))
			slashes = 0
		default:
			slashes = 0
		}
		b.WriteRune(r)
	}
	b.WriteString(strings.Repeat(`\`, slashes) + `"`)
	return b.String()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder doesn't fail
	return b.String()
}

// utf16Text is a text as the task scheduler reads it: UTF-16, with a byte order mark.
func utf16Text(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// plainText is a file's text, whichever of the two it is in.
func plainText(content []byte) string {
	if len(content) < 2 || content[0] != 0xff || content[1] != 0xfe {
		return string(content)
	}
	var units []uint16
	for content = content[2:]; len(content) >= 2; content = content[2:] {
		units = append(units, binary.LittleEndian.Uint16(content))
	}
	return string(utf16.Decode(units))
}
