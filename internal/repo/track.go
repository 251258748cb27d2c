package repo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// Track notes in the remote-tracking branches of a remote, refs/remotes/<remote>/, where the branches there are, by their full names, as a fetch would. Branches whose commits aren't here are left
// out, and so is a remote that is fetched otherwise than by git's default refspec.
func (r *Repo) Track(ctx context.Context, remote string, branches map[string]string) error {
	space := "refs/remotes/" + remote + "/"
	fetched, err := r.git(ctx, nil, "config", "--get-all", "remote."+remote+".fetch")
	if exitStatus(err) > 0 || err == nil && !slices.Contains(strings.Fields(fetched), "+"+headsPrefix+"*:"+space+"*") {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := r.refs(ctx, space)
	if err != nil {
		return err
	}
	changed, ids := make(map[string]string), ""
	for ref, id := range branches {
		name, branch := strings.CutPrefix(ref, headsPrefix)
		if branch && refname.Valid(ref) && isObjectID(id) && now[space+name] != id {
			changed[space+name] = id
			ids += id + "\n"
		}
	}
	present, err := r.present(ctx, ids)
	if err != nil {
		return err
	}
	var updates strings.Builder
	for ref, id := range changed {
		if present[id] {
			updates.WriteString(strings.TrimSuffix(fmt.Sprintf("update %s %s %s", ref, id, now[ref]), " ") + "\n")
		}
	}
	if updates.Len() == 0 {
		return nil
	}
	_, err = r.git(ctx, strings.NewReader(updates.String()), "update-ref", "-m", "xmpp sync", "--stdin")
	return err
}
