-- Texts whose values take more than the memory that is left, again and again.
-- run: dirty luaduct.json.decode: a text of 1500001 bytes needs more memory than runtime.lua.memory_max leaves
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local text = '[' .. ('1,'):rep(750000)
  for _ = 1, 5 do pcall(luaduct.json.decode, text) end
  luaduct.json.decode(text)
end

return stage
