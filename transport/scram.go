package transport

import (
	"crypto/hmac"
	"crypto/sha1" // of SCRAM-SHA-1
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"mellium.im/sasl"
)

const (
	// minIterations of PBKDF2 is what RFC 7677 asks for: with fewer, who is in between could guess passwords faster.
	minIterations = 4096
	// maxIterations bounds what the server can have us compute: seconds.
	maxIterations = 5_000_000

	plus = "-PLUS"
)

var (
	errMalformedSCRAM = errors.New("the server's message of SCRAM is malformed")
	errOfferChanged   = errors.New("the server's offer of mechanisms was changed on the way (XEP-0474): somebody is in between")
)

// newClient is our side of a mechanism. Where the server offers no channel binding, SCRAM says that we have it (RFC 5802, 6): a server that has it, too, then
// knows that somebody took it out of the offer, and refuses the login.
func newClient(cfg *Config, mechanism sasl.Mechanism, state tls.ConnectionState, offered *features) *sasl.Negotiator {
	options := []sasl.Option{sasl.TLSState(state), sasl.Credentials(func() (username, password, identity []byte) {
		return []byte(cfg.Account.Localpart()), []byte(cfg.Password), nil
	})}
	if slices.ContainsFunc(offered.Mechanisms, func(name string) bool { return strings.HasSuffix(name, plus) }) {
		return sasl.NewClient(mechanism, append(options, sasl.RemoteMechanisms(offered.Mechanisms...))...)
	}
	switch mechanism.Name { // one with binding whose other side hasn't
	case sasl.ScramSha256.Name:
		mechanism = sasl.ScramSha256Plus
	case sasl.ScramSha1.Name:
		mechanism = sasl.ScramSha1Plus
	}
	return sasl.NewClient(mechanism, options...)
}

// checkServerFirst looks at the server's first message before the mechanism does: that it is well-formed, that it neither asks for too little work nor for too
// much, and that the offer which the server made is the one that arrived here, if it says so (XEP-0474).
func checkServerFirst(message []byte, mechanism string, offered *features) error {
	for field := range strings.SplitSeq(string(message), ",") {
		name, value, ok := strings.Cut(field, "=")
		if !ok || len(name) != 1 || value == "" {
			return errMalformedSCRAM
		}
		switch name {
		case "i":
			n, err := strconv.Atoi(value)
			if err != nil || n < minIterations || n > maxIterations {
				return fmt.Errorf("the server asks for %s iterations of SCRAM, not %d to %d", clean(value), minIterations, maxIterations)
			}
		case "h":
			if !hmac.Equal([]byte(value), []byte(offerHash(mechanism, offered))) {
				return errOfferChanged
			}
		}
	}
	return nil
}

// offerHash is the hash of XEP-0474, 5.1, over what a server offers.
func offerHash(mechanism string, offered *features) string {
	text := strings.Join(slices.Sorted(slices.Values(offered.Mechanisms)), "\x1e")
	if len(offered.Bindings) > 0 {
		var types []string
		for _, b := range offered.Bindings {
			types = append(types, b.Type)
		}
		slices.Sort(types)
		text += "\x1f" + strings.Join(types, "\x1e")
	}
	var h hash.Hash = sha256.New()
	if strings.HasPrefix(mechanism, sasl.ScramSha1.Name) {
		h = sha1.New()
	}
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
