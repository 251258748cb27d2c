-- Takes no more than "strict_bytes" of text in messages of type headline per second from a session, on average, with as many at once: "strict_beyond" is what happens then, "bounce", or a
-- stream error.
local st = require "util.stanza";
local gettime = require "util.time".now;
local limit = module:get_option_number("strict_bytes", 0);
local beyond = module:get_option_string("strict_beyond", "bounce");

module:hook("pre-message/full", function(event)
	local session, stanza, now = event.origin, event.stanza, gettime();
	if stanza.attr.type ~= "headline" or not session.conn then
		return;
	end
	local left = math.min(limit, (session.strict_left or limit) + (now - (session.strict_since or now)) * limit);
	session.strict_since, session.strict_left = now, left;
	for _, child in ipairs(stanza.tags) do
		left = left - #child:get_text();
	end
	if left >= 0 then
		session.strict_left = left;
		return;
	end
	if beyond == "bounce" then
		session.send(st.error_reply(stanza, "wait", "resource-constraint", "too much"));
	else
		session:close({ condition = beyond, text = "too much" });
	end
	return true;
end, 20);
