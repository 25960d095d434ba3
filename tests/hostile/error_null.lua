-- An error that is luaduct.null.
-- run: dirty error without a text
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(luaduct.null)
end

return stage
