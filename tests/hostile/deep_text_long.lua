-- A text that takes the compiler long: its time grows with the square of the length.
-- run: dirty at most 64 KiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  load('if x then ' .. ('elseif x then '):rep(100000) .. 'end')
end

return stage
