-- Gives Prosody 0.12 what the modules for SASL2 of Debian's prosody-modules take from later versions: the connections' methods that tell of TLS, the stream header beside its
-- features, channel binding by tls-exporter (RFC 9266), which mod_saslauth of 0.12 forgets again, its announcement (XEP-0440),
-- times with fractions of a second, and a method of XML elements.
local sasl = require "util.sasl";

-- SCRAM with channel binding by either way; 0.12 knows tls-unique alone.
require "util.sasl.scram".init(function(name, backends, mechanism, bindings)
	sasl.registerMechanism(name, backends, mechanism, bindings and { "tls-unique", "tls-exporter" });
end);

-- Times of the clock in whole seconds, which Lua 5.4 asks for.
local datetime = require "util.datetime";
local in_words = datetime.datetime;
function datetime.datetime(time)
	return in_words(time and math.floor(time));
end

local elements = require "util.stanza".stanza_mt;
elements.get_child_attr = elements.get_child_attr or function(self, name, xmlns, attribute)
	local child = self:get_child(name, xmlns);
	return child and child.attr[attribute];
end

local function add_methods(conn)
	local methods = getmetatable(conn).__index;
	if methods.ssl_info then
		return;
	end
	function methods:ssl_info()
		local socket = self:socket();
		return socket.info and socket:info();
	end
	function methods:ssl_peerfinished()
		local socket = self:socket();
		return socket.getpeerfinished and socket:getpeerfinished();
	end
	function methods:ssl_exportkeyingmaterial(label, bytes, context)
		local socket = self:socket();
		return socket.exportkeyingmaterial and socket:exportkeyingmaterial(label, bytes, context);
	end
end

local function exporter(self)
	return self.userdata["tls-exporter"]:ssl_exportkeyingmaterial("EXPORTER-Channel-Binding", 32, "");
end

module:hook("stream-features", function(event)
	add_methods(event.origin.conn);
	event.stream = event.stream or { from = "somebody@" .. module.host }; -- only looked at for having a local part
end, 100);

module:hook("stream-features", function(event)
	local origin = event.origin;
	local handler = origin.sasl_handler;
	if origin.type ~= "c2s_unauthed" or not origin.encrypted or not handler or origin.conn:ssl_info().protocol ~= "TLSv1.3" then
		return;
	end
	handler:add_cb_handler("tls-exporter", exporter);
	handler.userdata = handler.userdata or {};
	handler.userdata["tls-exporter"] = origin.conn;
	event.features:tag("sasl-channel-binding", { xmlns = "urn:xmpp:sasl-cb:0" }):tag("channel-binding", { type = "tls-exporter" }):up():up();
end, -1);
