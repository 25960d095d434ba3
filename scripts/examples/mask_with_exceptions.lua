-- Masks fields, but for the rows of test accounts and for the e-mail addresses of one's own people.
--
--   - name: hide
--     kind: lua
--     file: mask_with_exceptions.lua
--     options:
--       mask: {user: name, phone: phone, email: email}
--       account: user                       # rows where this field is one of the accounts stay as they are
--       accounts: [test-1, monitor]
--       domains: {email: [example.com]}     # addresses in one of the domains stay as they are
--
--   mask      fields and how each is hidden: a rule of the kind mask without options, such as name, phone, email, id_card
--   account, accounts, domains   the exceptions, each optional
--
-- Whole columns at a time. What is not surely an exception is masked: NULL, an address with a second @ or a blank, a subdomain.

local luaduct = require "luaduct"

local stage = {}
local rules = {} -- field, hide and domains of each
local account, accounts

function stage.open(ctx)
  local options = ctx.options
  local domains = options.domains or {}

  ctx.known{"mask", "account", "accounts", "domains"}
  if type(options.mask) ~= "table" or next(options.mask) == nil then
    ctx.complain("mask", "a map of fields and rules is wanted, such as {phone: phone}")
    return
  end
  for field, rule in pairs(options.mask) do
    local make = luaduct.mask[rule]
    if make then
      rules[#rules + 1] = {field = field, hide = make({}, "mask." .. field), domains = domains[field]}
    else
      ctx.complain("mask." .. field, "there is no rule " .. tostring(rule))
    end
  end
  for field in pairs(domains) do
    if not options.mask[field] then
      ctx.complain("domains." .. field, "the field " .. field .. " is not masked")
    end
  end
  account, accounts = options.account, options.accounts
  if (account == nil) ~= (accounts == nil) then
    ctx.complain("accounts", "account and accounts go together")
  end
end

function stage.process(batch)
  local is_test = account and batch:column(account):is_in(accounts) -- before the field itself may be masked

  for _, rule in ipairs(rules) do
    local clear = batch:column(rule.field)
    local shown = rule.hide(clear)
    if rule.domains then
      local domain = clear:lower():extract("^[^@\\s]+@([^@\\s]+)$")
      shown = luaduct.choose(domain:is_in(rule.domains), clear, shown)
    end
    if is_test then shown = luaduct.choose(is_test, clear, shown) end
    batch:set(rule.field, shown)
  end
end

return stage
