-- JSON read and written without end, with the errors caught.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local text = '[' .. ('1.25,'):rep(1000) .. '{}]'
  while true do
    pcall(function() text = luaduct.json.encode(luaduct.json.decode(text)) end)
  end
end

return stage
