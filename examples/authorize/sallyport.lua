-- The action `authorize` asks Sallyport whether the request may pass, and leaves the answer in variables of the transaction.
local address = "http://127.0.0.1:9101/"
local own = { "host", "connection", "upgrade", "content-length", "transfer-encoding", "expect", "x-original-url" }

core.register_action("authorize", { "http-req" }, function(txn)
  txn:set_var("txn.sallyport.status", 503)
  local fields = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    fields[name] = {}
    for _, value in pairs(values) do table.insert(fields[name], value) end
  end
  for _, name in ipairs(own) do fields[name] = nil end
  fields["x-original-method"] = { txn.sf:method() }
  fields["x-original-host"] = { txn.sf:req_hdr("host") }
  fields["x-original-uri"] = { txn.sf:pathq() }
  fields["x-original-proto"] = { txn.sf:ssl_fc() == "1" and "https" or "http" }
  fields["x-forwarded-for"] = { txn.sf:src() }

  local answer = core.httpclient():get({ url = address, headers = fields, timeout = 5000 })
  if not answer or not answer.status or answer.status == 0 then return end
  local function first(name)
    local values = answer.headers and answer.headers[name]
    return values and (values[0] or values[1]) or ""
  end
  txn:set_var("txn.sallyport.status", answer.status)
  txn:set_var("txn.sallyport.subject", first("x-sallyport-subject"))
  txn:set_var("txn.sallyport.identity", first("x-sallyport-identity"))
  txn:set_var("txn.sallyport.expires", first("x-sallyport-expires-at"))
end, 0)
