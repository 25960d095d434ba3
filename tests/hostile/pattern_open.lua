-- A pattern without its end.
-- run: dirty malformed pattern
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):find('[')
end

return stage
