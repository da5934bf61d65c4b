"""48 sentences, each with a paraphrase and a sentence near it that says something else: a retrieval task for embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

TRIPLETS = (
    ("The train to Bologna leaves at seven in the morning.", "At 7 a.m. the Bologna train departs.", "The bus to the airport leaves every half hour."),
    ("She sold her old bicycle to a neighbour.", "A neighbour bought her used bike.", "Her neighbour repairs motorcycles at home."),
    ("The meeting was moved to Thursday.", "They rescheduled the appointment for Thursday.", "The restaurant is open until Thursday night."),
    ("Add a pinch of salt to the boiling water.", "Put a little salt in the water once it boils.", "Add boiling water to the salt slowly."),
    ("The battery lasts about ten hours.", "You get roughly ten hours of use from one charge.", "The drive takes about ten hours by car."),
    ("He has lived in Lisbon since he was a child.", "Lisbon has been his home from childhood on.", "He left Lisbon when he was a child."),
    ("The doctor told him to stop smoking.", "His physician advised giving up cigarettes.", "The doctor prescribed tablets against high blood pressure."),
    ("Our flight was delayed because of fog.", "Fog made our plane late.", "Our flight was cancelled because of a strike."),
    ("The cat is sleeping on the windowsill.", "A cat naps on the ledge of the window.", "The cat jumped from the windowsill at night."),
    ("Prices of fuel rose sharply this month.", "Petrol became much more expensive in the last weeks.", "Rents in the capital fell sharply this year."),
    ("The children built a castle out of sand.", "A sandcastle was made by the kids.", "The children collected shells on the beach."),
    ("Please turn off the lights before you go.", "Switch the lamps off when you leave.", "Please close the windows when it rains."),
    ("The museum is closed on Mondays.", "You cannot visit the museum on a Monday.", "The museum shows paintings of the last century."),
    ("She speaks four languages fluently.", "She is fluent in four tongues.", "She teaches four language classes daily."),
    ("The river flooded the lower part of the town.", "Low-lying streets were under water from the river.", "The river is full of salmon in autumn."),
    ("He forgot his umbrella in the taxi.", "His umbrella was left behind in a cab.", "He paid the taxi driver with a large note."),
    ("The company hired fifty new engineers.", "Fifty engineers joined the firm.", "The company dismissed fifty engineers."),
    ("The bridge will be repaired next spring.", "Repairs to the bridge are planned for the coming spring.", "The bridge was built last spring."),
    ("This soup is too salty for me.", "I find there is too much salt in this soup.", "This soup needs a little more salt."),
    ("The student passed the exam at the second attempt.", "On her second try the student succeeded in the test.", "The student failed the exam for the second time."),
    ("A storm knocked out power in the village.", "The village lost electricity in the storm.", "The village uses storms to produce power."),
    ("The film is based on a true story.", "Real events inspired the movie.", "The cinema shows the film twice a day."),
    ("We need two volunteers for the experiment.", "The trial requires a couple of volunteers.", "The experiment measured the speed of light."),
    ("The shop accepts only cash.", "You cannot pay by card in that store.", "The shop sells shoes and bags."),
    ("The printer is out of paper.", "There is no paper left in the printer.", "The printer prints on both sides of the paper."),
    ("He learned to play the violin at six.", "He started violin lessons when he was six years old.", "He sold six violins last year."),
    ("The glacier has shrunk by a third.", "A third of the glacier is gone.", "The valley was shaped by ice long ago."),
    ("The dog barks whenever someone rings.", "Every time the doorbell sounds the dog starts barking.", "Someone rang to complain about the barking dog."),
    ("The recipe needs three eggs and some flour.", "You need flour and three eggs for this dish.", "The recipe works without eggs and flour."),
    ("She apologised for being late.", "She said sorry that she had not come on time.", "She complained that the others were late."),
    ("The satellite photographs the coast every day.", "Daily pictures of the shoreline come from the satellite.", "The photographer works on the coast every day."),
    ("The road is slippery after the rain.", "Rain has made the street slick.", "The road was closed before the rain."),
    ("The bank refused his request for a loan.", "His loan application was turned down by the bank.", "The bank opened a new branch in the suburb."),
    ("The tomatoes in the garden are ripe.", "One can pick the tomatoes in the garden now.", "The salad is made of cucumbers and onions."),
    ("The orchestra played Beethoven's fifth symphony.", "Beethoven's Fifth was performed by the orchestra.", "The orchestra lost its fifth violinist."),
    ("The window was broken by a ball.", "A ball smashed the pane.", "The curtains in front of the window are green."),
    ("The police found the stolen car near the harbour.", "The missing vehicle turned up by the docks.", "Fishing boats leave the harbour before dawn."),
    ("The lake freezes every winter.", "Each winter there is ice on the lake.", "The lake is warm even in winter."),
    ("His computer crashed and he lost his work.", "When his machine died, all he had written was gone.", "He bought a new screen for his computer."),
    ("The author wrote the book in three weeks.", "It took the writer three weeks to finish the book.", "The author needed three years for the book."),
    ("The hotel offers breakfast until ten.", "Breakfast is served at the hotel up to ten o'clock.", "The hotel has ten rooms with breakfast."),
    ("The team won the match in the last minute.", "A late goal gave the team victory.", "The team lost the match in the last minute."),
    ("The vaccine protects against measles.", "Measles can be prevented with this vaccine.", "The vaccine against measles was withdrawn."),
    ("The library lends books for four weeks.", "You may keep borrowed books for a month at the library.", "The library was renovated last summer."),
    ("The smoke alarm went off at midnight.", "At twelve at night the fire detector rang.", "The fireworks began right after midnight."),
    ("The lecture on black holes was crowded.", "Many people came to the talk about black holes.", "The lecture on black bears was cancelled."),
    ("She waters the plants twice a week.", "Two times a week she gives the plants water.", "She buys plants twice a week."),
    ("The ferry crosses the strait in an hour.", "It takes sixty minutes by ferry to get over the strait.", "A container ship ran aground near the coast."),
)

CALIBRATION = (
    "The harvest was better than anyone had hoped.", "How do I reset the password of my account?", "A red lorry blocked the entrance for most of the afternoon.",
    "Quantum computers keep their bits close to absolute zero.", "My grandmother bakes bread every Saturday.", "The contract ends on the last day of June.",
    "Where is the nearest pharmacy?", "The painting shows a ship in a storm.", "Interest rates were left unchanged by the central bank.", "He whistles while he works.",
    "The experiment failed three times before it worked.", "Two hikers were rescued from the mountain.", "Install the update and restart the device.",
    "The old mill has become a theatre.", "Penguins cannot fly, but they swim very well.", "A good knife makes cooking easier.", "The parcel should arrive tomorrow.",
    "Voters went to the polls in eleven regions.", "The soup simmered for an hour on a low flame.", "This sensor measures temperature and humidity.",
    "The tower has four hundred and two steps.", "Nobody answered the phone.", "The violinist broke a string during the concert.", "Leaves turn yellow in October.",
    "The factory makes parts for wind turbines.", "I would like a table for two, please.", "The king was crowned in 1066.", "Snow fell in the south for the first time in years.",
    "The patient slept well after the operation.", "Your ticket is valid on buses and trams.", "The program reads a file and counts its words.", "Bees find their way by the sun.",
)


def sentences() -> list[str]:
    """All queries, then all paraphrases, then all look-alikes: 3 x 48, in the order of the rows that `top1` expects."""
    return [triplet[part] for part in range(3) for triplet in TRIPLETS]


def top1(embeddings: np.ndarray) -> float:
    """Share of queries whose nearest sentence by cosine, among all paraphrases and look-alikes, is their own paraphrase.

    Args:
        embeddings: float [144, width], rows as `sentences` gives them; rows need not be normalised.
    """
    import numpy as np

    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    n = len(TRIPLETS)
    return float(np.mean((unit[:n] @ unit[n:].T).argmax(axis=1) == np.arange(n)))
