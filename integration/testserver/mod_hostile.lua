-- Of messages of type headline from clients, drops, repeats, delays or puts out of order the share "hostile_percent" each.
local st = require "util.stanza";
local percent = module:get_option_number("hostile_percent", 0);

local function chance()
	return math.random(100) <= percent;
end

local function later(seconds, stanza)
	module:add_timer(seconds, function() module:send(stanza); end);
end

module:hook("pre-message/full", function(event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "headline" then
		return;
	end
	if chance() then
		return true;
	end
	if chance() then
		module:send(st.clone(stanza));
	end
	if chance() then
		later(0.05 + math.random() * 0.15, st.clone(stanza));
		return true;
	end
	if chance() then -- behind what comes next
		later(0.001 + math.random() * 0.01, st.clone(stanza));
		return true;
	end
end, 10);
