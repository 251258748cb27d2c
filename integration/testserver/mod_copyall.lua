-- Sends carbons of every message to a full JID to the sender's other sessions that want some, of whatever type it is, and archives it.
local st = require "util.stanza";
local jid = require "util.jid";
local archive = module:open_store("archive", "archive");
local sessions = prosody.hosts[module.host].sessions;

module:hook("pre-message/full", function(event)
	local session, stanza = event.origin, event.stanza;
	for _, other in pairs(session.username and sessions[session.username].sessions or {}) do
		if other ~= session and other.want_carbons then
			other.send(st.message({ from = jid.bare(session.full_jid), to = other.full_jid, type = stanza.attr.type })
				:tag("sent", { xmlns = "urn:xmpp:carbons:2" }):tag("forwarded", { xmlns = "urn:xmpp:forward:0" })
				:add_child(st.clone(stanza)));
		end
	end
	if session.username then
		archive:append(session.username, nil, stanza, os.time(), jid.bare(stanza.attr.to));
	end
end, 20);
